import { type Family, type Ip, ipBytes, ipFromBytes } from "../../src/base/ip.ts";

/** Addresses as numbers, to count with; both families have far more than 2^53 or none. */
export function numberOfIp(ip: Ip): bigint {
  return ipBytes(ip).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

export function ipOfNumber(family: Family, value: bigint): Ip {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = bytes.length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return ipFromBytes(bytes);
}
