import { reverseAddress } from "../../../edge/dns/reverse.ts";
import { formatRecordType, parseRecordType } from "../../../src/wire/dns.ts";
import { formatName, lowerName, MAX_NAME_BYTES, parseName } from "../../../src/wire/dns-name.ts";
import { hold, holdSame, refused, textOf, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 1200,
  form: "text",
  words: [
    "\\",
    "\\000",
    "\\255",
    "\\256",
    "\\.",
    ".",
    "..",
    "A",
    "AAAA",
    "TYPE65536",
    "TYPE1",
    "in-addr.arpa",
    "ip6.arpa",
  ],
  run: (input) => {
    const text = textOf(input);
    const type = parseRecordType(text);
    if (type !== undefined) {
      hold(type <= 0xffff, `record type ${type}`);
      holdSame(parseRecordType(formatRecordType(type)), type, "printed and read again");
    }
    const name = parseName(text);
    if (!name.ok) return refused({ ...name.error, at: "" }, input);
    hold(name.value.length <= MAX_NAME_BYTES, `a name of ${name.value.length} bytes`);
    holdSame(unwrap(parseName(formatName(name.value)), "what we print"), name.value, "printed and read again");
    if (reverseAddress(lowerName(name.value)) !== undefined) return "an address's name";
    return type === undefined ? "a name" : "a name and a type";
  },
};
