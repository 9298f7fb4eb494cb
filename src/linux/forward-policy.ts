import type { FilterRule } from "../wire/filter-rule.ts";
import type { NftChain, TableFamily } from "../wire/nftables.ts";
import { HOOKS } from "../wire/nftables-batch.ts";
import { decodeFilterRule } from "../wire/nftables-filter-rule.ts";
import type { ForwardFlow } from "./forward-flow.ts";
import { passesForward } from "./forward-passage.ts";
import { findLegacyDroppingForwards } from "./legacy-forward.ts";
import type { Nftables } from "./nftables.ts";

const NFT_FAMILIES = { 4: "ip", 6: "ip6", inet: "inet" } as const;

/** Chains that one chain at the hook is followed into: a firewalld of twenty zones has six for each. Each is a dump. */
export const CHAINS_READ_MAX = 256;
const UNREADABLE: FilterRule = { conditions: [], verdict: { kind: "unclear" } };

/**
 * Chains of other programs (docker's, ufw's, firewalld's, an administrator's) that drop what is forwarded, by their policy
 * or by a last rule, and have no rule that surely lets the given flows pass. No other table can overrule them.
 *
 * @param flows are asked for where there is such a chain
 * @returns as nft names them, such as "ip filter FORWARD", and those of iptables-legacy
 */
export function findDroppingForwards(nft: Nftables, flows: () => readonly ForwardFlow[]): readonly string[] {
  let known: readonly ForwardFlow[] | undefined;
  const flowsOf = (family: TableFamily): readonly ForwardFlow[] => {
    known ??= flows();
    return family === "inet" ? known : known.filter((flow) => flow.family === family);
  };
  const chains = nft.allChains().filter((chain) => drops(nft, chain, flowsOf));
  return [
    ...chains.map(({ family, table, name }) => `${family === undefined ? "" : NFT_FAMILIES[family]} ${table} ${name}`),
    ...findLegacyDroppingForwards(flowsOf),
  ];
}

function drops(
  nft: Nftables,
  { base, family, table, name }: NftChain,
  flowsOf: (family: TableFamily) => readonly ForwardFlow[],
): boolean {
  if (base?.hook !== HOOKS.forward) return false;
  const { dropsByDefault } = base;
  // A bridge's: what passes between pods of this node.
  if (family === undefined) return dropsByDefault;
  const rulesOf = readerOf(nft, family, table);
  if (!dropsByDefault && !refusesEverything(rulesOf(name).at(-1))) return false;
  return !flowsOf(family).every((flow) => passesForward(flow, name, dropsByDefault, rulesOf));
}

/** Each chain is read once, and beyond the bound counts as one that refuses. */
function readerOf(nft: Nftables, family: TableFamily, table: string): (chain: string) => readonly FilterRule[] {
  const read = new Map<string, readonly FilterRule[]>();
  return (chain) => {
    let rules = read.get(chain);
    if (rules === undefined) {
      if (read.size === CHAINS_READ_MAX) return [UNREADABLE];
      rules = nft.rules(family, table, chain).map(({ expressions }) => {
        const rule = decodeFilterRule(expressions, family);
        return rule.ok ? rule.value : UNREADABLE;
      });
      read.set(chain, rules);
    }
    return rules;
  };
}

function refusesEverything(rule: FilterRule | undefined): boolean {
  return rule?.verdict?.kind === "drop" && rule.conditions.length === 0;
}
