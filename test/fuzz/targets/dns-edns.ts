import { RecordType } from "../../../src/wire/dns.ts";
import { decodeEdns, extendedErrors } from "../../../src/wire/dns-edns.ts";
import { ROOT_NAME } from "../../../src/wire/dns-name.ts";
import { hold, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const OPT = { name: ROOT_NAME, type: RecordType.OPT, class: 1232, ttl: 0, fixed: new Uint8Array(), names: [] };

/** The data of an OPT record; the bits of its TTL are the first four bytes. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "big-endian",
  run: (input) => {
    const bits = input.length < 4 ? 0 : Buffer.from(input).readUInt32BE();
    const decoded = decodeEdns({ ...OPT, rest: input }, bits);
    if (!decoded.ok) return refused(decoded.error, input);
    const { options, extendedRcode, version } = decoded.value;
    const taken = options.reduce((sum, option) => sum + 4 + option.data.length, 0);
    hold(taken === input.length, `options of ${taken} bytes in ${input.length}`);
    for (const { data } of options) {
      const announced = Buffer.from(input).readUInt16BE(data.byteOffset - input.byteOffset - 2);
      hold(data.length === announced, `an option of ${data.length} bytes that announces ${announced}`);
    }
    hold(extendedRcode <= 0xff && version <= 0xff, "a byte of more than eight bits");
    return `${Math.min(options.length, 4)} options, ${Math.min(extendedErrors(options).length, 2)} errors`;
  },
};
