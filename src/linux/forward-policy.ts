import { HOOKS } from "../wire/nftables-batch.ts";
import { refusesEverything } from "../wire/nftables-rule-match.ts";
import { findLegacyDroppingForwards } from "./legacy-forward.ts";
import type { Nftables } from "./nftables.ts";

const NFT_FAMILIES = { 4: "ip", 6: "ip6", inet: "inet" } as const;

/**
 * Chains of other programs (docker's, ufw's, firewalld's, an administrator's) that let nothing be forwarded unless a rule
 * of theirs says otherwise: by their policy, or by a last rule. No other table can overrule them.
 *
 * @returns as nft names them, such as "ip filter FORWARD", and those of iptables-legacy
 */
export function findDroppingForwards(nft: Nftables): readonly string[] {
  const chains = nft.allChains().filter(({ base, family, table, name }) => {
    if (base?.hook !== HOOKS.forward) return false;
    if (base.dropsByDefault || family === undefined) return base.dropsByDefault;
    const last = nft.rules(family, table, name).at(-1);
    return last !== undefined && refusesEverything(last.expressions);
  });
  return [
    ...chains.map(({ family, table, name }) => `${family === undefined ? "" : NFT_FAMILIES[family]} ${table} ${name}`),
    ...findLegacyDroppingForwards(),
  ];
}
