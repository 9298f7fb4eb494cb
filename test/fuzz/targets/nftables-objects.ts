import {
  decodeChain,
  decodeGeneration,
  decodeRule,
  decodeSet,
  decodeTable,
  decodeTableName,
} from "../../../src/wire/nftables.ts";
import { countedPackets } from "../../../src/wire/nftables-counter.ts";
import { messageOf, PAYLOAD_BYTES } from "../netlink-payload.ts";
import { hold, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** One payload through all of them: which it is for, the type in the header says, and that may lie. */
export const target: FuzzTarget = {
  mostBytes: PAYLOAD_BYTES,
  form: "little-endian",
  run: (input) => {
    const message = messageOf(input);
    const [generation, name, table] = [decodeGeneration(message), decodeTableName(message), decodeTable(message)];
    const [chain, set, rule] = [decodeChain(message), decodeSet(message), decodeRule(message)];
    hold(!generation.ok || generation.value >= 0, "a negative generation");
    if (table.ok && name.ok) hold(table.value.name === name.value, "a table under two names");
    const texts = [table, chain, set].map((read) => (read.ok ? read.value.name : ""));
    hold(
      texts.every((text) => text.length <= input.length && !text.includes("\0")),
      "a name that is no text",
    );
    if (!rule.ok) return refused(rule.error, input);
    const { expressions } = rule.value;
    hold(expressions.length <= input.length && expressions.buffer !== input.buffer, "expressions that are no copy");
    hold(countedPackets(rule.value) >= 0, "a negative count");
    return `${generation.ok ? "generation" : ""} ${expressions.length > 0 ? "expressions" : ""} ${texts[1] === "" ? "" : "name"}`;
  },
};
