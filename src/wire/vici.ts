import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import {
  decodeViciMessage,
  encodeViciMessage,
  NAME_BYTES_MAX,
  type ViciFields,
  type ViciSection,
} from "./vici-message.ts";

/** Charon refuses longer ones: VICI_MESSAGE_SIZE_MAX of libcharon/plugins/vici/vici_socket.h. */
export const VICI_PACKET_BYTES_MAX = 512 * 1024;
/** u32 before every packet, in network byte order. */
const LENGTH_BYTES = 4;

/** Packet types by their numbers: libcharon/plugins/vici/README.md, "Packet types". */
const TYPES = [
  "command-request",
  "command-response",
  "command-unknown",
  "event-register",
  "event-unregister",
  "event-confirm",
  "event-unknown",
  "event",
] as const;

/** One packet of the Versatile IKE Configuration Interface, as it is read. */
export type ViciPacket =
  | { readonly type: "command-request" | "event"; readonly name: string; readonly message: ViciSection }
  | { readonly type: "command-response"; readonly message: ViciSection }
  | { readonly type: "event-register" | "event-unregister"; readonly name: string }
  | { readonly type: "command-unknown" | "event-confirm" | "event-unknown" };

/** One packet as it is written. */
export type ViciOutgoing =
  | { readonly type: "command-request" | "event"; readonly name: string; readonly fields: ViciFields }
  | { readonly type: "command-response"; readonly fields: ViciFields }
  | { readonly type: "event-register" | "event-unregister"; readonly name: string }
  | { readonly type: "command-unknown" | "event-confirm" | "event-unknown" };

const TEXT = new TextDecoder();
const UTF8 = new TextEncoder();
const NOTHING = new Uint8Array();

/** @param bytes of one packet, without its length; they must not change while the message is used */
export function decodeViciPacket(bytes: Uint8Array): Result<ViciPacket, DecodeError> {
  const type = TYPES[bytes[0] ?? -1];
  if (type === undefined) return fail({ at: 0, why: `there is no packet of type ${bytes[0] ?? "nothing"}` });
  switch (type) {
    case "command-response": {
      const message = decodeViciMessage(bytes, 1);
      return message.ok ? ok({ type, message: message.value }) : message;
    }
    case "command-request":
    case "event":
    case "event-register":
    case "event-unregister": {
      const end = 2 + (bytes[1] ?? 0);
      if (end > bytes.length) return fail({ at: 1, why: "a name reaches beyond the packet" });
      const name = TEXT.decode(bytes.subarray(2, end));
      if (type === "event-register" || type === "event-unregister") {
        return end === bytes.length ? ok({ type, name }) : fail({ at: end, why: "something follows the name" });
      }
      const message = decodeViciMessage(bytes, end);
      return message.ok ? ok({ type, name, message: message.value }) : message;
    }
    default:
      return bytes.length === 1 ? ok({ type }) : fail({ at: 1, why: "something follows the type" });
  }
}

/** With its length before it. @throws RangeError for what does not fit its length, or a packet that charon would refuse */
export function encodeViciPacket(packet: ViciOutgoing): Uint8Array {
  const name = "name" in packet ? UTF8.encode(packet.name) : undefined;
  if (name !== undefined && name.length > NAME_BYTES_MAX) {
    throw new RangeError(`Cannot write a packet as its name has more than ${NAME_BYTES_MAX} bytes`);
  }
  const message = "fields" in packet ? encodeViciMessage(packet.fields) : NOTHING;
  const head = name === undefined ? 1 : 2 + name.length;
  const length = head + message.length;
  if (length > VICI_PACKET_BYTES_MAX) {
    throw new RangeError(`Cannot write a packet as it has more than ${VICI_PACKET_BYTES_MAX} bytes: it has ${length}`);
  }
  const bytes = new Uint8Array(LENGTH_BYTES + length);
  new DataView(bytes.buffer).setUint32(0, length);
  bytes[LENGTH_BYTES] = TYPES.indexOf(packet.type);
  if (name !== undefined) {
    bytes[LENGTH_BYTES + 1] = name.length;
    bytes.set(name, LENGTH_BYTES + 2);
  }
  bytes.set(message, LENGTH_BYTES + head);
  return bytes;
}

/** Cuts a stream into packets. After the first one that is refused the stream is lost: where the next begins, nobody knows. */
export class ViciPacketReader {
  readonly #head = new Uint8Array(LENGTH_BYTES);
  #headLength = 0;
  /** Of the packet under way, and how much of it is there. */
  #body: Uint8Array | undefined;
  #bodyLength = 0;

  /** @returns the packets that this piece completes */
  push(piece: Uint8Array): Result<readonly ViciPacket[], DecodeError> {
    const packets: ViciPacket[] = [];
    let at = 0;
    while (at < piece.length) {
      if (this.#body === undefined) {
        this.#head[this.#headLength++] = piece[at++] ?? 0;
        if (this.#headLength < LENGTH_BYTES) continue;
        const length = new DataView(this.#head.buffer).getUint32(0);
        if (length === 0 || length > VICI_PACKET_BYTES_MAX) {
          return fail({ at: 0, why: `a packet has 1 to ${VICI_PACKET_BYTES_MAX} bytes, this one ${length}` });
        }
        this.#headLength = 0;
        this.#bodyLength = 0;
        this.#body = new Uint8Array(length);
        continue;
      }
      const part = piece.subarray(at, at + this.#body.length - this.#bodyLength);
      this.#body.set(part, this.#bodyLength);
      this.#bodyLength += part.length;
      at += part.length;
      if (this.#bodyLength < this.#body.length) break;
      const packet = decodeViciPacket(this.#body);
      if (!packet.ok) return packet;
      packets.push(packet.value);
      this.#body = undefined;
    }
    return ok(packets);
  }
}
