import { type Ip, ipBytes, ipFromBytes } from "../base/ip.ts";
import type { AttributeReader } from "./attribute-reader.ts";
import { NetlinkWriter } from "./netlink-writer.ts";
import { encodeVerdict, type Verdict } from "./nftables-expression.ts";
import { type FieldType, fieldBytes, isConcatenation, keyBytes, type SetSpec } from "./nftables-set.ts";

/** An address as its canonical text, everything else as a number. */
export type FieldValue = Ip | number;

export interface SetElement {
  readonly key: readonly FieldValue[];
  /** The last key of a range, inclusive: in interval sets of several fields. */
  readonly keyEnd?: readonly FieldValue[];
  /** In interval sets of one field: the first key that is outside again. */
  readonly ends?: boolean;
  readonly data?: readonly FieldValue[];
  readonly verdict?: Verdict;
  /** Of a decoded element of a dynamic set: what is left of its time-out. */
  readonly expiresMilliseconds?: number;
}

const NLA_F_NESTED = 0x8000;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_EXPIRATION = 5;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFT_SET_ELEM_INTERVAL_END = 1;
const NF_ACCEPT = 1;
const NFT_GOTO = -4;
const NFT_JUMP = -3;

const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** As elements of NFTA_SET_ELEM_LIST_ELEMENTS. */
export class ElementEncoder {
  readonly #key: FieldsEncoder;
  readonly #data: FieldsEncoder | undefined;
  readonly #withData: boolean;
  #lastVerdict: Verdict | undefined;
  #lastBytes = new Uint8Array();

  /** @param withData false to delete: the key says which */
  constructor(spec: SetSpec, withData: boolean) {
    this.#key = new FieldsEncoder(spec.key);
    this.#data = spec.data === undefined || spec.data === "verdict" ? undefined : new FieldsEncoder(spec.data);
    this.#withData = withData;
  }

  encode(writer: NetlinkWriter, element: SetElement): void {
    const nested = writer.beginNested(NFTA_LIST_ELEM);
    this.#key.encode(writer, NFTA_SET_ELEM_KEY, element.key);
    if (element.keyEnd !== undefined) this.#key.encode(writer, NFTA_SET_ELEM_KEY_END, element.keyEnd);
    if (element.ends === true) writer.attrU32be(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    if (this.#withData) this.#encodeData(writer, element);
    writer.endNested(nested);
  }

  #encodeData(writer: NetlinkWriter, element: SetElement): void {
    if (element.data !== undefined) this.#data?.encode(writer, NFTA_SET_ELEM_DATA, element.data);
    if (element.verdict !== undefined)
      writer.attrBytes(NFTA_SET_ELEM_DATA | NLA_F_NESTED, this.#verdict(element.verdict));
  }

  /** Most elements of a map lead to the same chain as the one before. */
  #verdict(verdict: Verdict): Uint8Array {
    if (verdict !== this.#lastVerdict) {
      const writer = new NetlinkWriter(64);
      encodeVerdict(writer, verdict);
      this.#lastVerdict = verdict;
      this.#lastBytes = writer.bytes();
    }
    return this.#lastBytes;
  }
}

/** Values of known types one behind the other, as registers have them. */
class FieldsEncoder {
  readonly #fields: readonly FieldType[];
  /** NLA_HDRLEN and what the fields take without padding. */
  readonly #length: number;

  constructor(fields: readonly FieldType[]) {
    this.#fields = fields;
    this.#length = 4 + keyBytes(fields);
  }

  /** Both headers are known beforehand, so they are words like the fields that follow. */
  encode(writer: NetlinkWriter, type: number, values: readonly FieldValue[]): void {
    const padded = (this.#length + 3) & ~3;
    writer.u32((4 + padded) | ((type | NLA_F_NESTED) << 16));
    writer.u32(this.#length | (NFTA_DATA_VALUE << 16));
    for (let i = 0; i < values.length; i++) encodeField(writer, this.#fields[i] ?? "integer", values[i] ?? 0);
  }
}

function encodeField(writer: NetlinkWriter, type: FieldType, value: FieldValue): void {
  if (type === "ipv4_addr") writeIpv4(writer, value as Ip);
  else if (typeof value === "string") {
    const bytes = addressBytes(value);
    for (let i = 0; i < bytes.length; i += 4) {
      writer.octets(bytes[i] ?? 0, bytes[i + 1] ?? 0, bytes[i + 2] ?? 0, bytes[i + 3] ?? 0);
    }
  } else if (type === "inet_service") writer.octets(value >> 8, value, 0, 0);
  else if (type === "inet_proto") writer.octets(value, 0, 0, 0);
  else writer.u32(value);
}

/** @param address canonical, as every Ip is: so this need not look at more than digits and dots */
function writeIpv4(writer: NetlinkWriter, address: Ip): void {
  let word = 0;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      word = (word << 8) | octet;
      octet = 0;
    } else octet = octet * 10 + code - DIGIT_0;
  }
  writer.u32be((word << 8) | octet);
}

let lastAddress: Ip | undefined;
let lastBytes = new Uint8Array();

/** A service's elements follow one another: the address is mostly the one of the call before. */
function addressBytes(address: Ip): Uint8Array {
  if (address !== lastAddress) {
    lastBytes = new Uint8Array(ipBytes(address));
    lastAddress = address;
  }
  return lastBytes;
}

/** @param list inside NFTA_SET_ELEM_LIST_ELEMENTS; faults are remembered in it */
export function decodeElements(list: AttributeReader, spec: SetSpec): readonly SetElement[] {
  const elements: SetElement[] = [];
  while (list.next()) {
    if (list.type === NFTA_LIST_ELEM) elements.push(decodeElement(list.nested(), spec));
  }
  return elements;
}

function decodeElement(attributes: AttributeReader, spec: SetSpec): SetElement {
  let key: readonly FieldValue[] = [];
  let keyEnd: readonly FieldValue[] | undefined;
  let data: readonly FieldValue[] | undefined;
  let verdict: Verdict | undefined;
  let ends = false;
  let expiresMilliseconds: number | undefined;
  while (attributes.next()) {
    switch (attributes.type) {
      case NFTA_SET_ELEM_KEY:
        key = decodeFields(attributes.nested(), spec.key);
        break;
      case NFTA_SET_ELEM_KEY_END:
        keyEnd = decodeFields(attributes.nested(), spec.key);
        break;
      case NFTA_SET_ELEM_DATA:
        if (spec.data === "verdict") verdict = decodeVerdict(attributes.nested());
        else if (spec.data !== undefined) data = decodeFields(attributes.nested(), spec.data);
        break;
      case NFTA_SET_ELEM_EXPIRATION:
        expiresMilliseconds = Number(attributes.u64be());
        break;
      case NFTA_SET_ELEM_FLAGS:
        ends = (attributes.u32be() & NFT_SET_ELEM_INTERVAL_END) !== 0;
        break;
    }
  }
  return {
    key,
    ...(keyEnd === undefined ? {} : { keyEnd }),
    ...(ends ? { ends } : {}),
    ...(data === undefined ? {} : { data }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(expiresMilliseconds === undefined ? {} : { expiresMilliseconds }),
  };
}

/** Empty when the value has not the length that the set's type demands. */
function decodeFields(attributes: AttributeReader, fields: readonly FieldType[]): readonly FieldValue[] {
  while (attributes.next()) {
    if (attributes.type !== NFTA_DATA_VALUE) continue;
    const bytes = attributes.bytes();
    if (bytes.length !== keyBytes(fields)) return [];
    let at = 0;
    return fields.map((type) => {
      const value = decodeField(bytes, at, type);
      at += isConcatenation(fields) ? fieldBytes(type) : 0;
      return value;
    });
  }
  return [];
}

function decodeField(bytes: Uint8Array, at: number, type: FieldType): FieldValue {
  switch (type) {
    case "ipv4_addr":
      return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
    case "ipv6_addr":
      return ipFromBytes(bytes.subarray(at, at + 16));
    case "inet_proto":
      return bytes[at] ?? 0;
    case "inet_service":
      return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    case "integer":
    case "iface_index":
      return (
        ((bytes[at] ?? 0) |
          ((bytes[at + 1] ?? 0) << 8) |
          ((bytes[at + 2] ?? 0) << 16) |
          ((bytes[at + 3] ?? 0) << 24)) >>>
        0
      );
  }
}

function decodeVerdict(data: AttributeReader): Verdict | undefined {
  while (data.next()) {
    if (data.type !== NFTA_DATA_VERDICT) continue;
    const attributes = data.nested();
    let code = 0;
    let chain = "";
    while (attributes.next()) {
      if (attributes.type === NFTA_VERDICT_CODE) code = attributes.u32be() | 0;
      else if (attributes.type === NFTA_VERDICT_CHAIN) chain = attributes.text();
    }
    if (code === NFT_GOTO) return { kind: "goto", chain };
    if (code === NFT_JUMP) return { kind: "jump", chain };
    return { kind: code === NF_ACCEPT ? "accept" : "drop" };
  }
  return undefined;
}

/** What makes an element the one that it is. */
export function elementId({ key, keyEnd, ends }: SetElement): string {
  const id = spaced(key);
  if (keyEnd !== undefined) return `${id} to ${spaced(keyEnd)}`;
  return ends === true ? `${id} end` : id;
}

export function elementValue({ verdict, data }: SetElement): string {
  if (verdict === undefined) return data === undefined ? "" : spaced(data);
  return "chain" in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}

/** `join(" ")`, which takes three times as long. */
function spaced(values: readonly FieldValue[]): string {
  let text = String(values[0]);
  for (let i = 1; i < values.length; i++) text += ` ${values[i]}`;
  return text;
}
