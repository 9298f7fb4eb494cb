import { formatPrefix, ipFamily, makePrefix } from "../../../src/base/ip.ts";
import { decodeLegacyRules } from "../../../src/wire/legacy-filter-rule.ts";
import { hold } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** struct ipt_entry with the shortest target: no rule is shorter. */
const SHORTEST_RULE = 112 + 32;

/** The first byte is the family's, and where to begin. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "little-endian",
  words: ["br-fabedge", "comment", "conntrack", "REJECT", "ERROR", new Uint8Array(4).fill(0xff), new Uint8Array(4)],
  run: (input) => {
    const first = input[0] ?? 0;
    const family = (first & 1) === 0 ? 4 : 6;
    const entries = input.subarray(1);
    let count = 0;
    let last = "none";
    for (const { conditions, verdict } of decodeLegacyRules(entries, first & 0xfe, family)) {
      count += 1;
      hold(count * SHORTEST_RULE <= entries.length, "more rules than there is room for");
      for (const condition of conditions) {
        if (condition.kind === "link") hold(!condition.name.includes("\0"), "a link whose name has an end inside");
        if (condition.kind !== "address") continue;
        const { address, length } = condition.prefix;
        hold(ipFamily(address) === family, "an address of another family");
        hold(formatPrefix(makePrefix(address, length)) === formatPrefix(condition.prefix), "a prefix with more bits");
      }
      last = `${conditions.some(({ kind }) => kind !== "unclear") ? "known" : "not known"}, ${verdict?.kind ?? "goes on"}`;
    }
    return `${Math.min(count, 3)} rules, the last ${last}`;
  },
};
