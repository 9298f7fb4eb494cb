import { planChains, planDemandChain } from "../../../edge/service/ruleset.ts";
import { AttributeReader } from "../../../src/wire/attribute-reader.ts";
import { NetlinkWriter } from "../../../src/wire/netlink-writer.ts";
import { type Expression, encodeExpression } from "../../../src/wire/nftables-expression.ts";
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

/** The first byte chooses the rule that the rest is compared with. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "little-endian",
  words: OWN,
  run: (input) => {
    const index = (input[0] ?? 0) % RULES.length;
    const [rule = [], own = new Uint8Array()] = [RULES[index], OWN[index]];
    const dumped = input.subarray(1);
    const same = isSameRule(rule, dumped);
    hold(same || Buffer.compare(dumped, own) !== 0, "a rule that is not the same as itself");
    hold(!same || countOf(dumped) === rule.length, "a rule that is the same with more expressions, or fewer");
    return `${same ? "the same as" : "different from"} rule ${index}`;
  },
};

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
