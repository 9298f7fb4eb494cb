import type { DecodeError, Result } from "../../src/base/result.ts";
import { decodeMessages, type NetlinkMessage } from "../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../src/wire/netlink-writer.ts";
import { hold, holdSame, refused, unwrap } from "./property.ts";
import type { FuzzTarget } from "./target.ts";

/** What one message of a dump may take; the kernel's are of a few hundred bytes. */
export const PAYLOAD_BYTES = 2048;

export function messageOf(payload: Uint8Array, type = 0): NetlinkMessage {
  return { type, flags: 0, sequence: 1, port: 0, payload };
}

const writer = new NetlinkWriter();

/** @returns the payload of the one message that is written */
export function written(write: (writer: NetlinkWriter) => void): Uint8Array {
  writer.reset();
  write(writer);
  const [message] = unwrap(decodeMessages(writer.bytes()), "what we write");
  hold(message !== undefined, "nothing was written");
  return message.payload;
}

/** A decoder of payloads: what it takes is in range, and says the same when it is written and read again. */
export function payloadTarget<T>(
  decode: (message: NetlinkMessage) => Result<T | undefined, DecodeError>,
  check: (value: T) => void,
  encode?: (writer: NetlinkWriter, value: T) => void,
): FuzzTarget {
  return {
    mostBytes: PAYLOAD_BYTES,
    form: "little-endian",
    run: (input) => {
      const decoded = decode(messageOf(input));
      if (!decoded.ok) return refused(decoded.error, input);
      const { value } = decoded;
      if (value === undefined) return "passed over";
      check(value);
      if (encode === undefined) return "read";
      const again = decode(messageOf(written((out) => encode(out, value))));
      holdSame(unwrap(again, "what was read"), value, "read, written and read again");
      return "read";
    },
  };
}
