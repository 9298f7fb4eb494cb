import type { Family } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { decodeElements, type SetElement } from "./nftables-element.ts";
import type { SetSpec } from "./nftables-set.ts";

/** linux/netfilter/nfnetlink.h: the upper byte of a message's type. */
const NFNL_SUBSYS_NFTABLES = 10;
export const NFNLGRP_NFTABLES = 7;

/** linux/netfilter/nf_tables.h: the lower byte. */
export const NftMessage = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  deleteSet: 11,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newGeneration: 15,
  getGeneration: 16,
} as const;

const NFPROTO_UNSPEC = 0;
const NFPROTO_INET = 1;
const NFPROTO_IPV4 = 2;
const NFPROTO_IPV6 = 10;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_USERDATA = 6;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_GEN_ID = 1;

const NFGENMSG_LENGTH = 4;

/** What a table sees: "inet" is both families in one table. */
export type TableFamily = Family | "inet";

const FAMILY_NUMBERS: Readonly<Record<TableFamily, number>> = { 4: NFPROTO_IPV4, 6: NFPROTO_IPV6, inet: NFPROTO_INET };

/** The type of a message of nf_tables, of NLMSG_* or of another subsystem. */
export function nftMessageOf(type: number): number | undefined {
  return type >> 8 === NFNL_SUBSYS_NFTABLES ? type & 0xff : undefined;
}

export function nftType(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}

/** struct nfgenmsg: family, version 0, and a resource that only batches use. */
export function nftHeader(writer: NetlinkWriter, family: TableFamily | undefined): void {
  writer.octets(family === undefined ? NFPROTO_UNSPEC : FAMILY_NUMBERS[family], 0, 0, 0);
}

export function encodeGetGeneration(writer: NetlinkWriter, sequence: number): void {
  encodeGet(writer, sequence, NftMessage.getGeneration, undefined, NLM_F_ACK, () => {});
}

export function encodeGetTables(writer: NetlinkWriter, sequence: number): void {
  encodeGet(writer, sequence, NftMessage.getTable, undefined, NLM_F_DUMP, () => {});
}

export function encodeGetChains(writer: NetlinkWriter, sequence: number, family: TableFamily | undefined): void {
  encodeGet(writer, sequence, NftMessage.getChain, family, NLM_F_DUMP, () => {});
}

export function encodeGetSets(writer: NetlinkWriter, sequence: number, family: TableFamily, table: string): void {
  encodeGet(writer, sequence, NftMessage.getSet, family, NLM_F_DUMP, () => writer.attrText(NFTA_SET_TABLE, table));
}

/** @param chain only of this one */
export function encodeGetRules(
  writer: NetlinkWriter,
  sequence: number,
  family: TableFamily,
  table: string,
  chain?: string,
): void {
  encodeGet(writer, sequence, NftMessage.getRule, family, NLM_F_DUMP, () => {
    writer.attrText(NFTA_RULE_TABLE, table);
    if (chain !== undefined) writer.attrText(NFTA_RULE_CHAIN, chain);
  });
}

export function encodeGetElements(
  writer: NetlinkWriter,
  sequence: number,
  family: TableFamily,
  table: string,
  set: string,
): void {
  encodeGet(writer, sequence, NftMessage.getElement, family, NLM_F_DUMP, () => {
    writer.attrText(NFTA_SET_ELEM_LIST_TABLE, table);
    writer.attrText(NFTA_SET_ELEM_LIST_SET, set);
  });
}

function encodeGet(
  writer: NetlinkWriter,
  sequence: number,
  message: number,
  family: TableFamily | undefined,
  flags: number,
  attributes: () => void,
): void {
  writer.beginMessage(nftType(message), NLM_F_REQUEST | flags, sequence);
  nftHeader(writer, family);
  attributes();
  writer.endMessage();
}

/** Flags of every message that makes something, so that making it twice is no error where the kernel allows that. */
export const NFT_CREATE = NLM_F_REQUEST | NLM_F_CREATE;

export interface NftTable {
  readonly family: TableFamily | undefined;
  readonly name: string;
  readonly userdata: Uint8Array;
}

export interface NftNamed {
  readonly family: TableFamily | undefined;
  readonly table: string;
  readonly name: string;
}

export interface NftChain extends NftNamed {
  /** Undefined: packets come to it from other chains only. */
  readonly base: NftBaseChain | undefined;
}

export interface NftBaseChain {
  readonly type: string;
  /** enum nf_inet_hooks. */
  readonly hook: number;
  readonly priority: number;
  /** What becomes of a packet that no rule decides about. */
  readonly dropsByDefault: boolean;
}

export interface NftRule {
  readonly table: string;
  readonly chain: string;
  /** What is inside NFTA_RULE_EXPRESSIONS, as the kernel wrote it. */
  readonly expressions: Uint8Array;
}

/** @returns the number of the last committed transaction, whoever made it */
export function decodeGeneration(message: NetlinkMessage): Result<number, DecodeError> {
  return decode(message, (attributes) => {
    let generation = 0;
    while (attributes.next()) if (attributes.type === NFTA_GEN_ID) generation = attributes.u32be();
    return generation;
  });
}

export function decodeTable(message: NetlinkMessage): Result<NftTable, DecodeError> {
  return decode(message, (attributes) => {
    let name = "";
    let userdata: Uint8Array = new Uint8Array();
    while (attributes.next()) {
      if (attributes.type === NFTA_TABLE_NAME) name = attributes.text();
      else if (attributes.type === NFTA_TABLE_USERDATA) userdata = attributes.bytes().slice();
    }
    return { family: familyOf(message), name, userdata };
  });
}

export function decodeChain(message: NetlinkMessage): Result<NftChain, DecodeError> {
  return decode(message, (attributes) => {
    let [table, name, type] = ["", "", ""];
    let place: Pick<NftBaseChain, "hook" | "priority"> | undefined;
    let policy = NF_ACCEPT;
    while (attributes.next()) {
      if (attributes.type === NFTA_CHAIN_TABLE) table = attributes.text();
      else if (attributes.type === NFTA_CHAIN_NAME) name = attributes.text();
      else if (attributes.type === NFTA_CHAIN_TYPE) type = attributes.text();
      else if (attributes.type === NFTA_CHAIN_POLICY) policy = attributes.u32be();
      else if (attributes.type === NFTA_CHAIN_HOOK) place = decodeHook(attributes.nested());
    }
    const base = place === undefined ? undefined : { type, ...place, dropsByDefault: policy === NF_DROP };
    return { family: familyOf(message), table, name, base };
  });
}

function decodeHook(attributes: AttributeReader): Pick<NftBaseChain, "hook" | "priority"> {
  let [hook, priority] = [0, 0];
  while (attributes.next()) {
    if (attributes.type === NFTA_HOOK_HOOKNUM) hook = attributes.u32be();
    else if (attributes.type === NFTA_HOOK_PRIORITY) priority = attributes.u32be() | 0;
  }
  return { hook, priority };
}

export function decodeSet(message: NetlinkMessage): Result<NftNamed, DecodeError> {
  return decode(message, (attributes) => {
    let [table, name] = ["", ""];
    while (attributes.next()) {
      if (attributes.type === NFTA_SET_TABLE) table = attributes.text();
      else if (attributes.type === NFTA_SET_NAME) name = attributes.text();
    }
    return { family: familyOf(message), table, name };
  });
}

export function decodeRule(message: NetlinkMessage): Result<NftRule, DecodeError> {
  return decode(message, (attributes) => {
    let [table, chain] = ["", ""];
    let expressions: Uint8Array = new Uint8Array();
    while (attributes.next()) {
      if (attributes.type === NFTA_RULE_TABLE) table = attributes.text();
      else if (attributes.type === NFTA_RULE_CHAIN) chain = attributes.text();
      else if (attributes.type === NFTA_RULE_EXPRESSIONS) expressions = attributes.bytes().slice();
    }
    return { table, chain, expressions };
  });
}

/** One message of a dump of elements, or of an event about them. */
export function decodeElementList(message: NetlinkMessage, spec: SetSpec): Result<readonly SetElement[], DecodeError> {
  return decode(message, (attributes) => {
    let elements: readonly SetElement[] = [];
    while (attributes.next()) {
      if (attributes.type === NFTA_SET_ELEM_LIST_ELEMENTS) elements = decodeElements(attributes.nested(), spec);
    }
    return elements;
  });
}

/** @returns the table that a message is about: attribute 1 names it, whether it is the table or something in it */
export function decodeTableName(message: NetlinkMessage): Result<string, DecodeError> {
  return decode(message, (attributes) => {
    let name = "";
    while (attributes.next()) if (attributes.type === NFTA_TABLE_NAME) name = attributes.text();
    return name;
  });
}

function familyOf(message: NetlinkMessage): TableFamily | undefined {
  const family = message.payload[0];
  return family === NFPROTO_INET ? "inet" : family === NFPROTO_IPV4 ? 4 : family === NFPROTO_IPV6 ? 6 : undefined;
}

function decode<T>(message: NetlinkMessage, read: (attributes: AttributeReader) => T): Result<T, DecodeError> {
  if (message.payload.length < NFGENMSG_LENGTH) return fail({ at: 0, why: "a netfilter message is cut short" });
  const attributes = new AttributeReader(message.payload, NFGENMSG_LENGTH);
  const value = read(attributes);
  return attributes.fault === undefined ? ok(value) : fail(attributes.fault);
}
