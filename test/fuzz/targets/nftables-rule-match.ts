import { planChains, planDemandChain } from "../../../edge/service/ruleset.ts";
import { formatPrefix, ipFamily, makePrefix } from "../../../src/base/ip.ts";
import { AttributeReader } from "../../../src/wire/attribute-reader.ts";
import { NetlinkWriter } from "../../../src/wire/netlink-writer.ts";
import { type Expression, encodeExpression } from "../../../src/wire/nftables-expression.ts";
import { decodeFilterRule } from "../../../src/wire/nftables-filter-rule.ts";
import { isSameRule } from "../../../src/wire/nftables-rule-match.ts";
import { hold } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const CHAINS = [
  ...planChains(4, { linkName: "selvedge0", clusterCidrs: [], dnsPort: 53, dnsLimited: true }),
  planDemandChain(4, "lb-3"),
];
/** One of each shape: the longest rules that we make among them. */
const RULES = CHAINS.flatMap((chain) => chain?.rules ?? []).slice(0, 16);
const OWN = RULES.map(encode);

const TABLE_FAMILIES = [4, 6, "inet"] as const;

/** The first byte chooses the rule that the rest is compared with, and the family of the table that it is read for. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "little-endian",
  words: OWN,
  run: (input) => {
    const first = input[0] ?? 0;
    const index = first % RULES.length;
    const [rule = [], own = new Uint8Array()] = [RULES[index], OWN[index]];
    const dumped = input.subarray(1);
    const same = isSameRule(rule, dumped);
    hold(same || Buffer.compare(dumped, own) !== 0, "a rule that is not the same as itself");
    hold(!same || countOf(dumped) === rule.length, "a rule that is the same with more expressions, or fewer");
    const meaning = judge(dumped, TABLE_FAMILIES[first % TABLE_FAMILIES.length] ?? 4);
    hold(!same || meaning !== "unreadable", "a rule of ours that cannot be read");
    return `${same ? "the same as" : "different from"} rule ${index}, ${meaning}`;
  },
};

/** What the rule says of its packets, as far as one may rely on it. */
function judge(dumped: Uint8Array, family: (typeof TABLE_FAMILIES)[number]): string {
  const rule = decodeFilterRule(dumped, family);
  if (!rule.ok) return "unreadable";
  const { conditions, verdict } = rule.value;
  hold(conditions.length <= countOf(dumped), "more conditions than expressions");
  for (const condition of conditions) {
    if (condition.kind === "link") hold(!condition.name.includes("\0"), "a link whose name has an end inside");
    if (condition.kind !== "address") continue;
    const { address, length } = condition.prefix;
    hold(formatPrefix(makePrefix(address, length)) === formatPrefix(condition.prefix), "a prefix with more bits");
    hold(family === "inet" || ipFamily(address) === family, "an address of another family's packets");
  }
  return `${conditions.some(({ kind }) => kind !== "unclear") ? "known" : "not known"}, ${verdict?.kind ?? "goes on"}`;
}

function encode(expressions: readonly Expression[]): Uint8Array {
  const writer = new NetlinkWriter(512);
  for (const expression of expressions) encodeExpression(writer, expression);
  return writer.bytes().slice();
}

function countOf(expressions: Uint8Array): number {
  const reader = new AttributeReader(expressions);
  let count = 0;
  while (reader.next()) count += 1;
  return count;
}
