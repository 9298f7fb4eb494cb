import type { Family } from "../base/ip.ts";
import type { Expression } from "./nftables-expression.ts";

/** Parts of rules, in the words that nft has for them. For tables of the family "inet", which see both families. */

export const accept: Expression = { name: "immediate", verdict: { kind: "accept" } };
export const drop: Expression = { name: "immediate", verdict: { kind: "drop" } };
export const returnToCaller: Expression = { name: "immediate", verdict: { kind: "return" } };
export const counter: Expression = { name: "counter" };
/** To the address of the link that the packet leaves by. */
export const masquerade: Expression = { name: "masquerade" };

export function goTo(chain: string): Expression {
  return { name: "immediate", verdict: { kind: "goto", chain } };
}

export function jump(chain: string): Expression {
  return { name: "immediate", verdict: { kind: "jump", chain } };
}

/** NFPROTO_IPV4 and NFPROTO_IPV6: everything that looks into the header has to ask for the family first. */
export function matchFamily(family: Family): readonly Expression[] {
  return compare({ name: "meta", register: 1, key: "nfproto" }, Uint8Array.of(family === 4 ? 2 : 10));
}

/** `meta mark and 0x4000 == 0x4000`. @param bits that are all set */
export function matchMark(bits: number): readonly Expression[] {
  const value = new Uint8Array(Uint32Array.of(bits).buffer);
  return [
    { name: "meta", register: 1, key: "mark" },
    { name: "bitwise", register: 1, mask: value },
    { name: "cmp", register: 1, equal: true, value },
  ];
}

/** `snat to` its own address: a connection that is translated is not translated again, by whoever comes later. */
export function keepSource(family: Family): readonly Expression[] {
  return [loadAddress(family, "saddr"), { name: "snat", family, address: 1 }];
}

/** `ip saddr @set`, or `!= @set`. */
export function matchAddress(
  family: Family,
  which: "saddr" | "daddr",
  set: string,
  inverted = false,
): readonly Expression[] {
  return [loadAddress(family, which), { name: "lookup", register: 1, set, ...(inverted ? { inverted } : {}) }];
}

/** `oifname "ipsec0"`. */
export function matchLink(which: "iifname" | "oifname", name: string, equal = true): readonly Expression[] {
  // IFNAMSIZ, padded with zeros.
  const value = new Uint8Array(16);
  new TextEncoder().encodeInto(name, value.subarray(0, 15));
  return compare({ name: "meta", register: 1, key: which }, value, equal);
}

/** `ct state established,related`. */
export function matchEstablished(): readonly Expression[] {
  // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED, in host order.
  return [
    { name: "ct", register: 1, key: "state", original: false },
    { name: "bitwise", register: 1, mask: Uint8Array.of(0x06, 0, 0, 0) },
    { name: "cmp", register: 1, equal: false, value: new Uint8Array(4) },
  ];
}

/** `rt ipsec exists`: a policy of the kernel's turns this packet into ESP. */
export function matchEncrypted(): readonly Expression[] {
  return compare({ name: "rt", register: 1, key: "ipsec" }, Uint8Array.of(1));
}

/** `udp dport 4500`. */
export function matchPort(protocol: "tcp" | "udp", which: "sport" | "dport", port: number): readonly Expression[] {
  const offset = which === "sport" ? 0 : 2;
  return [
    ...matchProtocol(protocol === "tcp" ? 6 : 17),
    ...compare({ name: "payload", register: 1, base: "transport", offset, length: 2 }, Uint8Array.of(port >> 8, port)),
  ];
}

/** `meta l4proto 50`. @param protocol IANA's number */
export function matchProtocol(protocol: number): readonly Expression[] {
  return compare({ name: "meta", register: 1, key: "l4proto" }, Uint8Array.of(protocol));
}

/** `tcp flags syn / syn,rst tcp option maxseg size set rt mtu`: segments that fit both ways, where they pass here. */
export function clampSegments(): readonly Expression[] {
  return [
    ...matchProtocol(6),
    { name: "payload", register: 1, base: "transport", offset: 13, length: 1 },
    { name: "bitwise", register: 1, mask: Uint8Array.of(0x06) },
    { name: "cmp", register: 1, equal: true, value: Uint8Array.of(0x02) },
    { name: "rt", register: 1, key: "tcp-mss" },
    { name: "byteorder", register: 1 },
    { name: "tcp-mss", register: 1 },
  ];
}

function loadAddress(family: Family, which: "saddr" | "daddr"): Expression {
  const [source, destination, length] = family === 4 ? [12, 16, 4] : [8, 24, 16];
  return { name: "payload", register: 1, base: "network", offset: which === "saddr" ? source : destination, length };
}

function compare(load: Expression, value: Uint8Array, equal = true): readonly Expression[] {
  return [load, { name: "cmp", register: 1, equal, value }];
}
