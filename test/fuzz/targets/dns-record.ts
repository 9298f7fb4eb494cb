import { RecordType } from "../../../src/wire/dns.ts";
import { decodeRecord } from "../../../src/wire/dns-record.ts";
import { holdRewritten } from "../dns-response.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** The record begins behind one byte, so that its names can point back. */
export const target: FuzzTarget = {
  mostBytes: 600,
  form: "big-endian",
  run: (input) => {
    if (input.length === 0) return "nothing";
    const decoded = decodeRecord(input, 1);
    if (!decoded.ok) return refused(decoded.error, input);
    const { record, next } = decoded.value;
    hold(next > 1 && next <= input.length, `a record up to ${next} of ${input.length} bytes`);
    hold(record.rest.buffer !== input.buffer && record.fixed.buffer !== input.buffer, "data that is no copy");
    // What follows the record has no part in it; but a pointer may lead back to a label that runs on over the pointer.
    const pointers = input.some((byte) => byte >= 0xc0);
    if (!pointers)
      holdSame(unwrap(decodeRecord(input.subarray(0, next), 1), "the record alone"), decoded.value, "the record alone");
    if (record.type === RecordType.OPT) return "options";
    holdRewritten([record]);
    return `type ${record.type < 40 ? record.type : "of no meaning here"}`;
  },
};
