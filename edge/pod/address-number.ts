import { type Family, type Ip, ipBytes, ipFamily, ipFromBytes } from "../../src/base/ip.ts";

/** Addresses as numbers, to count with; both families have far more than 2^53 or none. */
export function numberOfIp(ip: Ip): bigint {
  return ipBytes(ip).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

export function ipOfNumber(family: Family, value: bigint): Ip {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return ipFromBytes(bytes);
}

/** The last address of a subnet, as IPv4 has it; IPv6 and links of two have none. */
export function broadcastOf(ip: Ip, prefixLength: number): Ip | undefined {
  if (ipFamily(ip) === 6 || prefixLength > 30) return undefined;
  return ipOfNumber(4, numberOfIp(ip) | ((1n << BigInt(32 - prefixLength)) - 1n));
}
