import type { Family } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

/** What an echo request and its reply have in common (RFC 792, RFC 4443 section 4). */
export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
}

/** Type, code, checksum, identifier, sequence number. */
const HEADER_BYTES = 8;
export const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };

const REQUEST: Readonly<Record<Family, number>> = { 4: 8, 6: 128 };
const REPLY: Readonly<Record<Family, number>> = { 4: 0, 6: 129 };

/**
 * The ICMP message, as a raw socket takes it: the kernel makes the IP header, and for IPv6 the checksum.
 *
 * @param packetBytes of the whole IP packet, at least its two headers
 */
export function encodeEchoRequest(family: Family, { identifier, sequence }: Echo, packetBytes: number): Uint8Array {
  const message = new Uint8Array(Math.max(HEADER_BYTES, packetBytes - IP_HEADER_BYTES[family]));
  message[0] = REQUEST[family];
  message.set([identifier >> 8, identifier, sequence >> 8, sequence], 4);
  if (family === 4) {
    const sum = checksum(message);
    message.set([sum >> 8, sum], 2);
  }
  return message;
}

/**
 * @param packet as a raw socket gives it: from the IP header on for IPv4, without it for IPv6
 * @returns undefined for other ICMP messages
 */
export function decodeEchoReply(family: Family, packet: Uint8Array): Result<Echo | undefined, DecodeError> {
  const start = family === 4 ? 4 * ((packet[0] ?? 0) & 0x0f) : 0;
  if (family === 4 && start < IP_HEADER_BYTES[4]) return fail({ at: 0, why: "not an IPv4 header" });
  if (packet.length < start + HEADER_BYTES) return fail({ at: packet.length, why: "an ICMP message is cut short" });
  const [type, code, , , identifierHigh = 0, identifierLow = 0, high = 0, low = 0] = packet.subarray(start);
  if (type !== REPLY[family] || code !== 0) return ok(undefined);
  return ok({ identifier: (identifierHigh << 8) | identifierLow, sequence: (high << 8) | low });
}

/** RFC 1071, over a message whose own checksum is 0. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
