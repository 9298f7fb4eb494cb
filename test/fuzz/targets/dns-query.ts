import { Flag } from "../../../src/wire/dns.ts";
import { decodeMessage } from "../../../src/wire/dns-message.ts";
import { type DnsName, latin1, lowerName, MAX_NAME_BYTES } from "../../../src/wire/dns-name.ts";
import { QueryReader, Verdict } from "../../../src/wire/dns-query.ts";
import { hold, holdSame } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const reader = new QueryReader(7);
const VERDICTS = new Map<Verdict, string>(Object.entries(Verdict).map(([name, verdict]) => [verdict, name]));

/** The reader that allocates nothing, beside the one that reads whole messages: what both take is the same question. */
export const target: FuzzTarget = {
  mostBytes: 600,
  form: "big-endian",
  run: (input) => {
    const verdict = reader.read(input);
    hold(reader.questionEnd <= input.length, `a question up to ${reader.questionEnd}`);
    hold(reader.nameBytes <= MAX_NAME_BYTES, `a name of ${reader.nameBytes} bytes`);
    hold(reader.udpBytes >= 512 && reader.udpBytes <= 0xffff, `${reader.udpBytes} bytes over UDP`);
    if (verdict === Verdict.Drop) {
      hold(input.length < 12 || ((input[2] ?? 0) & 0x80) !== 0, "a query that was dropped");
      return "dropped";
    }
    if (verdict === Verdict.Refuse) return `refused with ${reader.rcode}`;
    hold((reader.flags & Flag.Response) === 0, "a response that is taken for a query");
    const message = decodeMessage(input);
    hold(message.ok || !message.error.why.startsWith("EDNS"), "a query with options that do not fit");
    if (!message.ok) return `asked, and not a message: ${message.error.why.replace(/\d+/g, "N")}`;
    const [question] = message.value.questions;
    const name = latin1(reader.name, 0, reader.nameBytes) as DnsName;
    holdSame([name, reader.type], [lowerName(question?.name ?? name), question?.type], "the question");
    hold(reader.hasEdns === (message.value.edns !== undefined), "EDNS for one reader only");
    hold(reader.dnssecOk === (message.value.edns?.dnssecOk ?? false), "the DO bit");
    return VERDICTS.get(verdict) ?? "";
  },
};
