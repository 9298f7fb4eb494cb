import type { NetlinkWriter } from "./netlink-writer.ts";

/**
 * The expressions of an nftables rule, one for one as linux/netfilter/nf_tables.h has them.
 *
 * Registers: 0 takes the verdict. 1 to 4 have 16 bytes; the same memory is 8 to 23 with 4 bytes each, so a value after
 * an IPv4 address in register 1 goes to register 9.
 */
export type Expression =
  | {
      readonly name: "payload";
      readonly register: number;
      readonly base: "network" | "transport";
      readonly offset: number;
      readonly length: number;
    }
  | { readonly name: "meta"; readonly register: number; readonly key: MetaKey }
  | { readonly name: "ct"; readonly register: number; readonly key: CtKey; readonly original: boolean }
  | {
      readonly name: "fib";
      readonly register: number;
      readonly address: "source" | "destination";
      /** The address's type (RTN_LOCAL and so on, 4 bytes), or the name of the link that the route leads to (16 bytes). */
      readonly result: "type" | "oifname";
    }
  | {
      readonly name: "numgen";
      readonly register: number;
      readonly modulus: number;
      readonly offset: number;
    }
  | { readonly name: "cmp"; readonly register: number; readonly equal: boolean; readonly value: Uint8Array }
  | { readonly name: "bitwise"; readonly register: number; readonly mask: Uint8Array }
  | {
      readonly name: "lookup";
      readonly register: number;
      readonly set: string;
      /** Of a map: where the value goes; 0 obeys it as a verdict. */
      readonly into?: number;
      /** Go on when the set does not have it. */
      readonly inverted?: boolean;
    }
  | { readonly name: "immediate"; readonly verdict: Verdict }
  /** Gives the packet the address of the register, whatever it has itself. */
  | { readonly name: "snat"; readonly family: 4 | 6; readonly address: number }
  /** Bytes of the rule into a register. */
  | { readonly name: "load"; readonly register: number; readonly value: Uint8Array }
  | { readonly name: "dnat"; readonly family: 4 | 6; readonly address: number; readonly port: number }
  | { readonly name: "masquerade" }
  | { readonly name: "reject"; readonly how: "tcp-reset" | "port-unreachable"; readonly family: 4 | 6 }
  | {
      readonly name: "dynset";
      readonly set: string;
      readonly key: number;
      /** Of a map: where the value is. */
      readonly data?: number;
      readonly timeoutSeconds: number;
      /** Each element has its own; the rule goes on where it is exceeded. */
      readonly limit?: PacketLimit;
    }
  | {
      readonly name: "rt";
      readonly register: number;
      /** Whether IPsec takes the packet (1 byte), or the largest TCP segment both ways (2 bytes in host order). */
      readonly key: "tcp-mss" | "ipsec";
    }
  /** Two bytes from host to network order, in place. */
  | { readonly name: "byteorder"; readonly register: number }
  /** Of a SYN that has the option; the kernel only ever lowers it. */
  | { readonly name: "tcp-mss"; readonly register: number }
  | { readonly name: "counter" }
  | { readonly name: "notrack" };

/** A token bucket, which `burst` packets fill. */
export interface PacketLimit {
  readonly packetsPerSecond: number;
  readonly burst: number;
}

export type MetaKey = "mark" | "iif" | "oif" | "iifname" | "oifname" | "nfproto" | "l4proto";
export type CtKey = "state" | "status" | "destination-4" | "destination-6" | "destination-port";

export type Verdict =
  | { readonly kind: "accept" | "drop" | "return" }
  | { readonly kind: "goto" | "jump"; readonly chain: string };

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** enum nft_verdicts, and NF_DROP. */
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_JUMP = -3;
const NFT_GOTO = -4;
const NFT_RETURN = -5;

const VERDICT_CODES: Readonly<Record<Verdict["kind"], number>> = {
  drop: NF_DROP,
  accept: NF_ACCEPT,
  jump: NFT_JUMP,
  goto: NFT_GOTO,
  return: NFT_RETURN,
};

const META_KEYS: Readonly<Record<MetaKey, number>> = {
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  nfproto: 15,
  l4proto: 16,
};
const CT_KEYS: Readonly<Record<CtKey, number>> = {
  state: 0,
  status: 2,
  "destination-port": 12,
  "destination-4": 20,
  "destination-6": 22,
};
const BASES: Readonly<Record<"network" | "transport", number>> = { network: 1, transport: 2 };

const NFT_FIB_RESULT_OIFNAME = 2;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;
const NFTA_FIB_F_DADDR = 2;
const NFT_NG_RANDOM = 1;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_NAT_SNAT = 0;
const NFT_NAT_DNAT = 1;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;
/** Ports chosen at random: two connections that are masqueraded at the same instant then do not pick the same one. */
const NF_NAT_RANGE_PROTO_RANDOM_FULLY = 0x10;
const NFT_REJECT_ICMP_UNREACH = 0;
const NFT_REJECT_TCP_RST = 1;
const ICMP_PORT_UNREACH = 3;
const ICMPV6_PORT_UNREACH = 4;
const NFT_DYNSET_OP_UPDATE = 1;
const NFTA_DYNSET_EXPR = 7;
const NFT_LIMIT_F_INV = 1;
const NFT_LOOKUP_F_INV = 1;
const NFT_RT_TCPMSS = 3;
const NFT_RT_XFRM = 4;
const NFT_BYTEORDER_HTON = 1;
const NFT_EXTHDR_OP_TCPOPT = 1;
/** RFC 9293 section 3.2: kind 2, length 4, then the size. */
const TCPOPT_MSS = 2;
const MSS_OFFSET = 2;

/** The kernel's names; ours differ where its are too wide. */
const KERNEL_NAMES: Readonly<Partial<Record<Expression["name"], string>>> = {
  dnat: "nat",
  snat: "nat",
  load: "immediate",
  masquerade: "masq",
  "tcp-mss": "exthdr",
};

/** As an element of NFTA_RULE_EXPRESSIONS. */
export function encodeExpression(writer: NetlinkWriter, expression: Expression): void {
  const element = writer.beginNested(NFTA_LIST_ELEM);
  writer.attrText(NFTA_EXPR_NAME, KERNEL_NAMES[expression.name] ?? expression.name);
  encodeData(writer, expression);
  writer.endNested(element);
}

function encodeData(writer: NetlinkWriter, expression: Expression): void {
  // It has no attributes, and so the kernel lists it without this one.
  if (expression.name === "notrack") return;
  const data = writer.beginNested(NFTA_EXPR_DATA);
  encodeBody(writer, expression);
  writer.endNested(data);
}

/** Inside NFTA_SET_ELEM_DATA, NFTA_IMMEDIATE_DATA and the like. */
export function encodeVerdict(writer: NetlinkWriter, verdict: Verdict): void {
  const nested = writer.beginNested(NFTA_DATA_VERDICT);
  writer.attrU32be(NFTA_VERDICT_CODE, VERDICT_CODES[verdict.kind]);
  if ("chain" in verdict) writer.attrText(NFTA_VERDICT_CHAIN, verdict.chain);
  writer.endNested(nested);
}

function encodeBody(writer: NetlinkWriter, e: Exclude<Expression, { name: "notrack" }>): void {
  // The numbers are those of enum nft_<name>_attributes.
  switch (e.name) {
    case "payload":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, BASES[e.base]);
      writer.attrU32be(3, e.offset);
      writer.attrU32be(4, e.length);
      return;
    case "meta":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, META_KEYS[e.key]);
      return;
    case "ct":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, CT_KEYS[e.key]);
      if (e.original) writer.attrU8(3, 0);
      return;
    case "fib":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.result === "type" ? NFT_FIB_RESULT_ADDRTYPE : NFT_FIB_RESULT_OIFNAME);
      writer.attrU32be(3, e.address === "source" ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR);
      return;
    case "numgen":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.modulus);
      writer.attrU32be(3, NFT_NG_RANDOM);
      writer.attrU32be(4, e.offset);
      return;
    case "cmp":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
      encodeValue(writer, 3, e.value);
      return;
    case "bitwise":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.register);
      writer.attrU32be(3, e.mask.length);
      encodeValue(writer, 4, e.mask);
      encodeValue(writer, 5, new Uint8Array(e.mask.length));
      return;
    case "lookup":
      writer.attrText(1, e.set);
      writer.attrU32be(2, e.register);
      if (e.into !== undefined) writer.attrU32be(3, e.into);
      if (e.inverted === true) writer.attrU32be(5, NFT_LOOKUP_F_INV);
      return;
    case "immediate": {
      writer.attrU32be(1, 0);
      const data = writer.beginNested(2);
      encodeVerdict(writer, e.verdict);
      writer.endNested(data);
      return;
    }
    case "load":
      writer.attrU32be(1, e.register);
      encodeValue(writer, 2, e.value);
      return;
    case "snat":
      writer.attrU32be(1, NFT_NAT_SNAT);
      writer.attrU32be(2, e.family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
      writer.attrU32be(3, e.address);
      return;
    case "dnat":
      writer.attrU32be(1, NFT_NAT_DNAT);
      writer.attrU32be(2, e.family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
      writer.attrU32be(3, e.address);
      writer.attrU32be(5, e.port);
      return;
    case "masquerade":
      writer.attrU32be(1, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
      return;
    case "reject":
      writer.attrU32be(1, e.how === "tcp-reset" ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMP_UNREACH);
      if (e.how === "port-unreachable") writer.attrU8(2, e.family === 4 ? ICMP_PORT_UNREACH : ICMPV6_PORT_UNREACH);
      return;
    case "dynset":
      writer.attrText(1, e.set);
      writer.attrU32be(3, NFT_DYNSET_OP_UPDATE);
      writer.attrU32be(4, e.key);
      if (e.data !== undefined) writer.attrU32be(5, e.data);
      writer.attrU64be(6, BigInt(e.timeoutSeconds) * 1000n);
      if (e.limit !== undefined) encodeLimit(writer, e.limit);
      return;
    case "rt":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.key === "tcp-mss" ? NFT_RT_TCPMSS : NFT_RT_XFRM);
      return;
    case "byteorder":
      writer.attrU32be(1, e.register);
      writer.attrU32be(2, e.register);
      writer.attrU32be(3, NFT_BYTEORDER_HTON);
      writer.attrU32be(4, 2);
      writer.attrU32be(5, 2);
      return;
    case "tcp-mss":
      writer.attrU8(2, TCPOPT_MSS);
      writer.attrU32be(3, MSS_OFFSET);
      writer.attrU32be(4, 2);
      writer.attrU32be(6, NFT_EXTHDR_OP_TCPOPT);
      writer.attrU32be(7, e.register);
      return;
    case "counter":
      return;
  }
}

/** Linux 5.10 takes one expression an element, and knows the attribute for several not yet. */
function encodeLimit(writer: NetlinkWriter, { packetsPerSecond, burst }: PacketLimit): void {
  const expression = writer.beginNested(NFTA_DYNSET_EXPR);
  writer.attrText(NFTA_EXPR_NAME, "limit");
  const data = writer.beginNested(NFTA_EXPR_DATA);
  // enum nft_limit_attributes: rate, unit in seconds, burst, type (0 is packets), flags.
  writer.attrU64be(1, BigInt(packetsPerSecond));
  writer.attrU64be(2, 1n);
  writer.attrU32be(3, burst);
  writer.attrU32be(4, 0);
  writer.attrU32be(5, NFT_LIMIT_F_INV);
  writer.endNested(data);
  writer.endNested(expression);
}

function encodeValue(writer: NetlinkWriter, type: number, value: Uint8Array): void {
  const nested = writer.beginNested(type);
  writer.attrBytes(NFTA_DATA_VALUE, value);
  writer.endNested(nested);
}
