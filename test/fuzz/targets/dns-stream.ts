import { LENGTH_BYTES, MessageStream } from "../../../edge/dns/message-stream.ts";
import { hold, holdSame } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const MOST_BYTES = 64;

/** Messages that come in pieces, beside the same stream taken apart at once. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "big-endian",
  run: (input) => {
    const stream = new MessageStream(MOST_BYTES);
    const messages: string[] = [];
    const step = 1 + (input.length % 17);
    let readable = true;
    for (let at = 0; readable && at < input.length; at += step) {
      readable = stream.push(input.subarray(at, at + step), (message) => {
        hold(message.length <= MOST_BYTES, `a message of ${message.length} bytes`);
        return messages.push(message.toHex()) > 0;
      });
    }
    const whole = split(input);
    holdSame([messages, readable], [whole.messages, whole.readable], "the messages");
    return `${Math.min(messages.length, 4)} messages${readable ? "" : ", then one that is too long"}`;
  },
};

function split(bytes: Uint8Array): { readonly messages: readonly string[]; readonly readable: boolean } {
  const messages: string[] = [];
  for (let at = 0; at + LENGTH_BYTES <= bytes.length; ) {
    const length = Buffer.from(bytes).readUInt16BE(at);
    if (length > MOST_BYTES) return { messages, readable: false };
    if (at + LENGTH_BYTES + length > bytes.length) break;
    messages.push(bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length).toHex());
    at += LENGTH_BYTES + length;
  }
  return { messages, readable: true };
}
