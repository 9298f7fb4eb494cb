import { type Ip, ipBytes, ipFromBytes } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

/** struct sockaddr_in: u16 family, port and address in network order, 8 bytes of padding. */
const SOCKADDR_IN_BYTES = 16;
/** struct sockaddr_in6: u16 family, port, u32 flow, 16 bytes of address, u32 scope. */
export const SOCKADDR_IN6_BYTES = 28;

export interface InetAddress {
  readonly address: Ip;
  readonly port: number;
}

export function encodeSocketAddress({ address, port }: InetAddress): Uint8Array {
  const ip = ipBytes(address);
  const bytes = new Uint8Array(ip.length === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  bytes.set([ip.length === 4 ? AF_INET : AF_INET6, 0, port >> 8, port & 0xff]);
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return bytes;
}

/** Where a datagram comes from, as recvfrom(2) says it. */
export function decodeSocketAddress(bytes: Uint8Array): Result<InetAddress, DecodeError> {
  const [family = 0, high = 0, portHigh = 0, portLow = 0] = bytes;
  const isIpv4 = family === AF_INET;
  if (high !== 0 || (!isIpv4 && family !== AF_INET6)) return fail({ at: 0, why: "not an address of IPv4 or IPv6" });
  if (bytes.length < (isIpv4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES)) return fail({ at: 0, why: "cut short" });
  const address = ipFromBytes(isIpv4 ? bytes.slice(4, 8) : bytes.slice(8, 24));
  return ok({ address, port: (portHigh << 8) | portLow });
}
