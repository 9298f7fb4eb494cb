import { decodeAck, decodeMessages, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN } from "../../../src/wire/netlink.ts";
import { hold, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "little-endian",
  run: (input) => {
    const decoded = decodeMessages(input);
    if (!decoded.ok) return refused(decoded.error, input);
    let at = 0;
    let outcome = `${Math.min(decoded.value.length, 8)} messages`;
    for (const message of decoded.value) {
      const { payload } = message;
      hold(payload.byteOffset === input.byteOffset + at + NLMSG_HDRLEN, "messages that do not follow one another");
      hold(payload.byteOffset + payload.length <= input.byteOffset + input.length, "a payload beyond the datagram");
      hold(input.subarray(at, at + 4).toHex() === lengthHex(payload), "a payload that is not as long as announced");
      at += (NLMSG_HDRLEN + payload.length + 3) & ~3;
      if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) continue;
      const ack = decodeAck(message);
      if (!ack.ok) return refused(ack.error, payload);
      hold(ack.value.errno >= 0, `an error number of ${ack.value.errno}`);
      hold((ack.value.text?.length ?? 0) <= payload.length, "a text that is longer than its message");
      outcome = ack.value.text === undefined ? "an acknowledgement" : "an explained acknowledgement";
    }
    hold(at >= input.length, "a datagram that was not read to its end");
    return outcome;
  },
};

function lengthHex(payload: Uint8Array): string {
  return new Uint8Array(Uint32Array.of(NLMSG_HDRLEN + payload.length).buffer).toHex();
}
