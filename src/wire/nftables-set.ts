import type { NetlinkWriter } from "./netlink-writer.ts";

/** The types that a field of a key or of a value has, under nft's names. */
export type FieldType = "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service" | "integer" | "iface_index";

export interface SetSpec {
  readonly name: string;
  readonly key: readonly FieldType[];
  /** Undefined is a set, anything else a map. */
  readonly data?: readonly FieldType[] | "verdict";
  /** Ranges: of one field as a pair of elements, of several with `keyEnd`. */
  readonly interval?: boolean;
  /**
   * Rules add elements, each with its time-out, up to `size`, whose buckets the kernel makes beforehand: 32 bytes for each
   * that may come. Without it up to 65,535 (nft_dynset_init), and the buckets grow with those that do come.
   */
  readonly dynamic?: { readonly size?: number };
  /** How `nft list` prints the fields that no plain type name describes. */
  readonly typeof?: { readonly key: readonly FieldOrigin[]; readonly data: readonly FieldOrigin[] };
}

/** The packet field that nft's "typeof" names. */
export type FieldOrigin = "ip daddr" | "ip6 daddr" | "meta l4proto" | "th dport" | "numgen random";

/** nft's number of the type (libnftables enum datatypes), bytes, and its byte order: 1 the host's, 2 the network's. */
const FIELDS: Readonly<Record<FieldType, { readonly id: number; readonly size: number; readonly order: number }>> = {
  integer: { id: 4, size: 4, order: 1 },
  ipv4_addr: { id: 7, size: 4, order: 2 },
  ipv6_addr: { id: 8, size: 16, order: 2 },
  inet_proto: { id: 12, size: 1, order: 2 },
  inet_service: { id: 13, size: 2, order: 2 },
  iface_index: { id: 20, size: 4, order: 1 },
};

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_USERDATA = 13;
const NFTA_SET_DESC_SIZE = 1;
const NFTA_SET_DESC_CONCAT = 2;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_FIELD_LEN = 1;

const NFT_SET_INTERVAL = 0x4;
const NFT_SET_MAP = 0x8;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_EVAL = 0x20;
const NFT_SET_CONCAT = 0x80;
const NFT_DATA_VERDICT = 0xffffff00;

/** What libnftnl's udata.h says that nft reads from NFTA_SET_USERDATA. */
const UDATA_KEY_BYTEORDER = 0;
const UDATA_DATA_BYTEORDER = 1;
const UDATA_KEY_TYPEOF = 3;
const UDATA_DATA_TYPEOF = 4;

/** libnftables' enum expr_types, and the numbers of its protocol templates. */
const ORIGINS: Readonly<Record<FieldOrigin, { readonly expression: number; readonly data: readonly number[] }>> = {
  "ip daddr": { expression: 7, data: [12, 12] },
  "ip6 daddr": { expression: 7, data: [13, 9] },
  "th dport": { expression: 7, data: [11, 2] },
  "meta l4proto": { expression: 9, data: [16] },
  "numgen random": { expression: 23, data: [1, 65_536, 0] },
};
const EXPRESSION_CONCAT = 13;

/** Bytes of a field in a key: everything is padded to registers of four. */
export function fieldBytes(type: FieldType): number {
  return (FIELDS[type].size + 3) & ~3;
}

export function isConcatenation(fields: readonly FieldType[]): boolean {
  return fields.length > 1;
}

/** The attributes of NFT_MSG_NEWSET. @param id of the set within its batch */
export function encodeSet(writer: NetlinkWriter, table: string, spec: SetSpec, id: number): void {
  const ranges = spec.interval === true && isConcatenation(spec.key);
  const flags =
    (spec.interval === true ? NFT_SET_INTERVAL : 0) |
    (ranges ? NFT_SET_CONCAT : 0) |
    (spec.data === undefined ? 0 : NFT_SET_MAP) |
    (spec.dynamic === undefined ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL);
  writer.attrText(NFTA_SET_TABLE, table);
  writer.attrText(NFTA_SET_NAME, spec.name);
  writer.attrU32be(NFTA_SET_FLAGS, flags);
  writer.attrU32be(NFTA_SET_KEY_TYPE, typeId(spec.key));
  writer.attrU32be(NFTA_SET_KEY_LEN, keyBytes(spec.key));
  if (spec.data === "verdict") {
    writer.attrU32be(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
    writer.attrU32be(NFTA_SET_DATA_LEN, 0);
  } else if (spec.data !== undefined) {
    writer.attrU32be(NFTA_SET_DATA_TYPE, typeId(spec.data));
    writer.attrU32be(NFTA_SET_DATA_LEN, keyBytes(spec.data));
  }
  writer.attrU32be(NFTA_SET_ID, id);
  const description = writer.beginNested(NFTA_SET_DESC);
  if (spec.dynamic?.size !== undefined) writer.attrU32be(NFTA_SET_DESC_SIZE, spec.dynamic.size);
  if (ranges) encodeFieldLengths(writer, spec.key);
  writer.endNested(description);
  writer.attrBytes(NFTA_SET_USERDATA, setUserdata(spec));
}

export function keyBytes(fields: readonly FieldType[]): number {
  return fields.reduce((sum, type) => sum + (fields.length === 1 ? FIELDS[type].size : fieldBytes(type)), 0);
}

/** The widths by which the kernel's pipapo set cuts a key into fields. */
function encodeFieldLengths(writer: NetlinkWriter, fields: readonly FieldType[]): void {
  const concatenation = writer.beginNested(NFTA_SET_DESC_CONCAT);
  for (const type of fields) {
    const element = writer.beginNested(NFTA_LIST_ELEM);
    writer.attrU32be(NFTA_SET_FIELD_LEN, FIELDS[type].size);
    writer.endNested(element);
  }
  writer.endNested(concatenation);
}

/** Six bits a field, the first one highest: the kernel keeps it for nft. */
function typeId(fields: readonly FieldType[]): number {
  return fields.reduce((id, type) => (id << 6) | FIELDS[type].id, 0);
}

function setUserdata(spec: SetSpec): Uint8Array {
  const key = spec.key.length === 1 && spec.key[0] !== undefined ? FIELDS[spec.key[0]].order : 0;
  const parts = [tlv(UDATA_KEY_BYTEORDER, u32(key))];
  if (spec.data !== undefined) parts.push(tlv(UDATA_DATA_BYTEORDER, u32(0)));
  if (spec.typeof !== undefined) {
    parts.push(tlv(UDATA_KEY_TYPEOF, typeofConcatenation(spec.typeof.key)));
    parts.push(tlv(UDATA_DATA_TYPEOF, typeofConcatenation(spec.typeof.data)));
  }
  return joined(parts);
}

function typeofConcatenation(origins: readonly FieldOrigin[]): Uint8Array {
  const fields = origins.map((origin, i) => {
    const { expression, data } = ORIGINS[origin];
    const detail = joined(data.map((value, j) => tlv(j, u32(value))));
    return tlv(i, joined([tlv(0, u32(expression)), tlv(1, detail)]));
  });
  return joined([tlv(0, u32(EXPRESSION_CONCAT)), tlv(1, joined(fields))]);
}

/** libnftnl's user data: type and length, a byte each. */
export function tlv(type: number, value: Uint8Array): Uint8Array {
  return joined([Uint8Array.of(type, value.length), value]);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
