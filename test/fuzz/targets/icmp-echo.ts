import { decodeEchoReply, encodeEchoRequest, IP_HEADER_BYTES } from "../../../src/wire/icmp-echo.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const IPV4_REPLY = 0;
const IPV6_REPLY = 129;

export const target: FuzzTarget = {
  mostBytes: 128,
  form: "big-endian",
  run: (input) => {
    const outcomes = ([4, 6] as const).map((family) => {
      const decoded = decodeEchoReply(family, input);
      if (!decoded.ok) return refused(decoded.error, input);
      if (decoded.value === undefined) return "passed over";
      const echo = decoded.value;
      hold(Math.max(echo.identifier, echo.sequence) <= 0xffff, `${Bun.inspect(echo)} does not fit`);
      // The answer to a request is the same message under another type.
      const request = encodeEchoRequest(family, echo, IP_HEADER_BYTES[family] + 8);
      request[0] = family === 4 ? IPV4_REPLY : IPV6_REPLY;
      const reply = family === 4 ? Uint8Array.of(0x45, ...new Uint8Array(19), ...request) : request;
      holdSame(unwrap(decodeEchoReply(family, reply), "the answer"), echo, "asked and answered");
      return "a reply";
    });
    return outcomes.join(", ");
  },
};
