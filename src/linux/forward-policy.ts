import { HOOKS } from "../wire/nftables-batch.ts";
import type { Nftables } from "./nftables.ts";

const NFT_FAMILIES = { 4: "ip", 6: "ip6", inet: "inet" } as const;

/**
 * Chains of other programs (docker's, firewalld's, an administrator's) that drop what is forwarded unless a rule of
 * theirs says otherwise. No other table can overrule them.
 *
 * @returns as nft names them, such as "ip filter FORWARD"
 */
export function findDroppingForwards(nft: Nftables): readonly string[] {
  return nft
    .allChains()
    .filter(({ base }) => base?.hook === HOOKS.forward && base.dropsByDefault)
    .map(({ family, table, name }) => `${family === undefined ? "" : NFT_FAMILIES[family]} ${table} ${name}`);
}
