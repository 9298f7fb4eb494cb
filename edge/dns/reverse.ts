import { type Ip, ipFromBytes } from "../../src/base/ip.ts";
import { type DnsName, nameLabels } from "../../src/wire/dns-name.ts";

/** The address behind "4.3.2.1.in-addr.arpa" or its ip6.arpa counterpart (RFC 1035 3.5, RFC 3596 2.5). */
export function reverseAddress(name: DnsName): Ip | undefined {
  const labels = nameLabels(name);
  const zone = labels.slice(-2).join(".");
  const parts = labels.slice(0, -2).reverse();
  if (zone === "in-addr.arpa" && parts.length === 4) {
    const bytes = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
    return bytes.some((byte) => byte > 255) ? undefined : ipFromBytes(Uint8Array.from(bytes));
  }
  if (zone === "ip6.arpa" && parts.length === 32 && parts.every((part) => /^[0-9a-f]$/.test(part))) {
    return ipFromBytes(Uint8Array.fromHex(parts.join("")));
  }
  return undefined;
}
