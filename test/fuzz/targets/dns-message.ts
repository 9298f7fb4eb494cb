import * as oracle from "dns-packet";
import { extendedErrors } from "../../../src/wire/dns-edns.ts";
import { decodeMessage, type Message } from "../../../src/wire/dns-message.ts";
import { nameLabels } from "../../../src/wire/dns-name.ts";
import { holdRewritten } from "../dns-response.ts";
import { hold, holdSame, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** The other decoder is asked about one message in so many: it is slow. */
const ORACLE_EVERY = 64;
let asked = 0;

export const target: FuzzTarget = {
  mostBytes: 1232,
  form: "big-endian",
  run: (input) => {
    const decoded = decodeMessage(input);
    if (!decoded.ok) return refused(decoded.error, input);
    const message = decoded.value;
    const records = [...message.answers, ...message.authorities, ...message.additionals];
    hold(records.length * 11 + message.questions.length * 5 <= input.length, "more records than fit");
    hold(message.rcode <= 0xfff, `rcode ${message.rcode}`);
    for (const option of message.edns?.options ?? [])
      hold(option.data.length <= input.length, "an option beyond the end");
    hold(
      extendedErrors(message.edns?.options ?? []).every((code) => code <= 0xffff),
      "an extended error",
    );
    const [question] = message.questions;
    holdRewritten(records, question?.name);
    if (++asked % ORACLE_EVERY === 0) compare(message, input);
    return `${Math.min(records.length, 3)} records${message.edns === undefined ? "" : ", EDNS"}`;
  },
};

/** dns-packet throws at what it does not know; where it reads, it has to read the same questions. */
function compare(message: Message, input: Uint8Array): void {
  let other: oracle.OraclePacket;
  try {
    other = oracle.decode(Buffer.from(input));
  } catch {
    return;
  }
  hold(other.id === message.id, `id ${other.id}`);
  const plain = (label: string) => /^[\w-]+$/.test(label);
  for (const [i, question] of message.questions.entries()) {
    const labels = nameLabels(question.name);
    if (labels.every(plain)) holdSame(other.questions?.[i]?.name, labels.join(".") || ".", "dns-packet's question");
  }
}
