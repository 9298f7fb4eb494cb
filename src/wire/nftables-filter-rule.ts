import type { Family } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import {
  conditionsOfMatch,
  type FilterCondition,
  type FilterRule,
  type FilterVerdict,
  linkNamed,
  prefixOfMask,
  UNCLEAR,
  untilNul,
  verdictOfTarget,
} from "./filter-rule.ts";
import type { TableFamily } from "./nftables.ts";

const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** linux/netfilter/nf_tables.h: NFT_REG_VERDICT, enum nft_meta_keys, nft_payload_bases, nft_cmp_ops, nft_bitwise_ops. */
const VERDICT_REGISTER = 0;
const META_LINKS: ReadonlyMap<number, "in" | "out"> = new Map([
  [6, "in"],
  [7, "out"],
]);
const META_NFPROTO = 15;
const NETWORK_HEADER = 1;
const CMP_EQ = 0;
const CMP_NEQ = 1;
const BITWISE_MASK_XOR = 0;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

/** enum nft_verdicts, NF_DROP and NF_ACCEPT; what is missing, a queue say, is unclear. */
const VERDICTS: ReadonlyMap<number, "drop" | "accept" | "return"> = new Map([
  [0, "drop"],
  [1, "accept"],
  [-5, "return"],
]);
const NFT_CONTINUE = -1;
const NFT_BREAK = -2;
const NFT_JUMP = -3;
const NFT_GOTO = -4;

const NFT_UNKNOWN = -6;
const ENDS = ["source", "destination"] as const;
/** Of struct iphdr and struct ipv6hdr: where addresses are, and how long. */
const ADDRESSES = { 4: { source: 12, destination: 16, length: 4 }, 6: { source: 8, destination: 24, length: 16 } };
/** Expressions that neither ask nor decide. */
const NOTES: ReadonlySet<string> = new Set(["counter", "log", "last"]);

/** What a register has of the packet. */
type Loaded =
  | { readonly kind: "link"; readonly end: "in" | "out" }
  | { readonly kind: "family" }
  | { readonly kind: "connection" }
  | LoadedAddress;

/** The first bytes of it, as many as the mask has. */
interface LoadedAddress {
  readonly kind: "address";
  readonly end: (typeof ENDS)[number];
  readonly family: Family;
  readonly mask: Uint8Array;
}

/**
 * A rule of nftables, of nft's or iptables-nft's making.
 *
 * @param dumped the inside of NFTA_RULE_EXPRESSIONS
 * @param of the family of its table
 */
export function decodeFilterRule(dumped: Uint8Array, of: TableFamily): Result<FilterRule, DecodeError> {
  const reader = new AttributeReader(dumped);
  const rule = new RuleReading(of === "inet" ? undefined : of);
  while (reader.next() && rule.verdict === undefined) rule.read(reader.nested());
  return reader.fault === undefined ? ok({ conditions: rule.conditions, verdict: rule.verdict }) : fail(reader.fault);
}

class RuleReading {
  readonly conditions: FilterCondition[] = [];
  verdict: FilterVerdict | undefined;
  readonly #registers = new Map<number, Loaded>();
  /** Of whose packets the next expression is; undefined: of both. */
  #family: Family | undefined;

  constructor(family: Family | undefined) {
    this.#family = family;
  }

  read(expression: AttributeReader): void {
    let [name, data] = ["", NO_ATTRIBUTES];
    while (expression.next()) {
      if (expression.type === NFTA_EXPR_NAME) name = expression.text();
      else if (expression.type === NFTA_EXPR_DATA) data = attributesOf(expression.nested());
    }
    // The numbers are those of enum nft_<name>_attributes.
    switch (name) {
      case "meta":
        this.#load(number(data, 1), metaOf(number(data, 2)));
        break;
      case "ct":
        this.#load(number(data, 1), { kind: "connection" });
        break;
      case "payload":
        this.#load(number(data, 1), this.#addressAt(number(data, 2), number(data, 3), number(data, 4)));
        break;
      case "bitwise":
        this.#load(number(data, 2), this.#masked(data));
        break;
      case "cmp":
        this.#ask(this.#compared(data));
        break;
      case "lookup":
        this.#lookUp(data);
        break;
      case "match":
        this.conditions.push(...conditionsOfMatch(text(data, 1)));
        break;
      case "immediate":
        if (number(data, 1) === VERDICT_REGISTER) this.verdict = verdictIn(inside(data, 2, NFTA_DATA_VERDICT));
        else this.#load(number(data, 1), undefined);
        break;
      case "target":
        this.verdict = verdictOfTarget(text(data, 1));
        break;
      case "reject":
        this.verdict = { kind: "drop" };
        break;
      case "queue":
        this.verdict = { kind: "unclear" };
        break;
      default:
        if (!NOTES.has(name)) this.#ask(UNCLEAR);
    }
  }

  /** @param register undefined: it is a statement, which changes a mark or the like */
  #load(register: number | undefined, loaded: Loaded | undefined): void {
    if (register === undefined) return;
    if (loaded === undefined) this.#registers.delete(register);
    else this.#registers.set(register, loaded);
  }

  #addressAt(base = -1, offset = -1, length = 0): Loaded | undefined {
    const family = this.#family;
    if (family === undefined || base !== NETWORK_HEADER || length > ADDRESSES[family].length) return undefined;
    const end = ENDS.find((which) => ADDRESSES[family][which] === offset);
    return end && { kind: "address", end, family, mask: new Uint8Array(length).fill(0xff) };
  }

  #masked(data: AttributesOf): Loaded | undefined {
    const [mask, flipped] = [inside(data, 4, NFTA_DATA_VALUE), inside(data, 5, NFTA_DATA_VALUE)];
    const loaded = this.#registers.get(number(data, 1) ?? -1);
    const isMask = (number(data, 6) ?? BITWISE_MASK_XOR) === BITWISE_MASK_XOR && flipped?.every((byte) => byte === 0);
    if (isMask !== true || loaded?.kind !== "address" || mask?.length !== loaded.mask.length) return undefined;
    return { ...loaded, mask };
  }

  #compared(data: AttributesOf): FilterCondition {
    const [operator, value] = [number(data, 2), inside(data, 3, NFTA_DATA_VALUE)];
    const loaded = this.#registers.get(number(data, 1) ?? -1);
    const inverted = operator === CMP_NEQ;
    if (loaded === undefined || value === undefined || (operator !== CMP_EQ && !inverted)) return UNCLEAR;
    if (loaded.kind === "link") return linkNamed(loaded.end, value, inverted);
    if (loaded.kind === "address") return addressIn(loaded, value, inverted);
    const family = value[0] === NFPROTO_IPV4 ? 4 : value[0] === NFPROTO_IPV6 ? 6 : undefined;
    if (loaded.kind === "connection" || family === undefined) return UNCLEAR;
    if (!inverted) this.#family ??= family;
    return { kind: "family", family, inverted };
  }

  /** Sets and maps are not read. What a map says of the states of connections is taken for conditions of some packets. */
  #lookUp(data: AttributesOf): void {
    const isOfStates = this.#registers.get(number(data, 2) ?? -1)?.kind === "connection";
    if (number(data, 3) === VERDICT_REGISTER && !isOfStates) this.verdict = { kind: "unclear" };
    else this.#ask(UNCLEAR);
  }

  #ask(condition: FilterCondition): void {
    this.conditions.push(condition);
    // What is not known here may have written to any of them.
    if (condition.kind === "unclear") this.#registers.clear();
  }
}

function metaOf(key = -1): Loaded | undefined {
  if (key === META_NFPROTO) return { kind: "family" };
  const end = META_LINKS.get(key);
  return end && { kind: "link", end };
}

function addressIn({ end, family, mask }: LoadedAddress, value: Uint8Array, inverted: boolean): FilterCondition {
  if (value.length !== mask.length) return UNCLEAR;
  const whole = (part: Uint8Array) => {
    const bytes = new Uint8Array(ADDRESSES[family].length);
    bytes.set(part);
    return bytes;
  };
  const prefix = prefixOfMask(whole(value), whole(mask));
  return prefix === undefined ? UNCLEAR : { kind: "address", end, prefix, inverted };
}

/** @returns undefined: the packet goes on */
function verdictIn(bytes: Uint8Array | undefined): FilterVerdict | undefined {
  const data = attributesOf(new AttributeReader(bytes ?? new Uint8Array()));
  const code = (number(data, NFTA_VERDICT_CODE) ?? NFT_UNKNOWN) | 0;
  if (code === NFT_CONTINUE || code === NFT_BREAK) return undefined;
  const chain = text(data, NFTA_VERDICT_CHAIN);
  if (code === NFT_JUMP) return { kind: "jump", chain };
  if (code === NFT_GOTO) return { kind: "goto", chain };
  return { kind: VERDICTS.get(code) ?? "unclear" };
}

type AttributesOf = ReadonlyMap<number, Uint8Array>;

const NO_ATTRIBUTES: AttributesOf = new Map();

function attributesOf(reader: AttributeReader): AttributesOf {
  const values = new Map<number, Uint8Array>();
  while (reader.next()) values.set(reader.type, reader.bytes());
  return values;
}

/** A u32 in network byte order, as nf_tables has all its numbers. */
function number(data: AttributesOf, type: number): number | undefined {
  const bytes = data.get(type);
  return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) : undefined;
}

function text(data: AttributesOf, type: number): string {
  return untilNul(data.get(type) ?? new Uint8Array());
}

/** What NFTA_DATA_VALUE or NFTA_DATA_VERDICT is inside. */
function inside(data: AttributesOf, type: number, kind: number): Uint8Array | undefined {
  return attributesOf(new AttributeReader(data.get(type) ?? new Uint8Array())).get(kind);
}
