import { NLM_F_ACK, NLM_F_APPEND, NLM_F_REQUEST } from "./netlink.ts";
import { NetlinkWriter } from "./netlink-writer.ts";
import { NFT_CREATE, NftMessage, nftHeader, nftType, type TableFamily } from "./nftables.ts";
import { ElementEncoder, type SetElement } from "./nftables-element.ts";
import { type Expression, encodeExpression } from "./nftables-expression.ts";
import { encodeSet, type SetSpec, tlv } from "./nftables-set.ts";

/** linux/netfilter/nfnetlink.h */
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NFNL_SUBSYS_NFTABLES = 10;

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USERDATA = 6;
/** libnftnl: the first entry of a table's user data is the comment that nft prints. */
const UDATA_TABLE_COMMENT = 0;

const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NF_ACCEPT = 1;

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;

/** The list of a message has a length of 16 bits; a message of ours stays well below. */
const LIST_BYTES = 60_000;

export interface ChainHook {
  /** A chain of type nat sees the first packet of each connection, one of type filter every packet. */
  readonly type: "nat" | "filter";
  readonly hook: "prerouting" | "input" | "forward" | "output" | "postrouting";
  readonly priority: number;
}

/** enum nf_inet_hooks */
export const HOOKS: Readonly<Record<ChainHook["hook"], number>> = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
};

/**
 * One nftables transaction: everything in it happens, or nothing does.
 *
 * The kernel reads a batch as a whole, so it has to leave in one piece (`NetlinkSocket.transact`). Messages are
 * numbered from 1, and the last one asks for an acknowledgement: its absence means that the batch was not committed.
 */
export class NftBatch {
  readonly #writer: NetlinkWriter;
  #sequence = 0;
  #sets = 0;
  #last = 0;

  /** @param writer to use again, as the buffer of a full load is some megabytes */
  constructor(writer = new NetlinkWriter()) {
    this.#writer = writer;
    writer.reset();
  }

  /** Messages between begin and end. */
  get size(): number {
    return Math.max(0, this.#sequence - 1);
  }

  get sizeBytes(): number {
    return this.#writer.length;
  }

  /** @param generation commit only if no other transaction came after it; else the whole batch fails with ERESTART */
  begin(generation?: number): void {
    this.#writer.beginMessage(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, this.#next());
    this.#writer.octets(0, 0, 0, NFNL_SUBSYS_NFTABLES);
    if (generation !== undefined) this.#writer.attrU32be(NFNL_BATCH_GENID, generation);
    this.#writer.endMessage();
  }

  /** Also when there is one: then nothing changes. @param comment that `nft list` shows, at most 127 bytes */
  addTable(family: TableFamily, table: string, comment: string): void {
    this.#message(NftMessage.newTable, NFT_CREATE, family);
    this.#writer.attrText(NFTA_TABLE_NAME, table);
    this.#writer.attrU32be(NFTA_TABLE_FLAGS, 0);
    this.#writer.attrBytes(NFTA_TABLE_USERDATA, tlv(UDATA_TABLE_COMMENT, new TextEncoder().encode(`${comment}\0`)));
    this.#writer.endMessage();
  }

  /** With everything in it. */
  deleteTable(family: TableFamily, table: string): void {
    this.#message(NftMessage.deleteTable, NLM_F_REQUEST, family);
    this.#writer.attrText(NFTA_TABLE_NAME, table);
    this.#writer.endMessage();
  }

  addChain(family: TableFamily, table: string, chain: string, hook?: ChainHook): void {
    this.#message(NftMessage.newChain, NFT_CREATE, family);
    this.#writer.attrText(NFTA_CHAIN_TABLE, table);
    this.#writer.attrText(NFTA_CHAIN_NAME, chain);
    if (hook !== undefined) {
      const nested = this.#writer.beginNested(NFTA_CHAIN_HOOK);
      this.#writer.attrU32be(NFTA_HOOK_HOOKNUM, HOOKS[hook.hook]);
      this.#writer.attrU32be(NFTA_HOOK_PRIORITY, hook.priority);
      this.#writer.endNested(nested);
      this.#writer.attrU32be(NFTA_CHAIN_POLICY, NF_ACCEPT);
      this.#writer.attrText(NFTA_CHAIN_TYPE, hook.type);
    }
    this.#writer.endMessage();
  }

  /** Its rules have to be gone, or to go in the same message. */
  deleteChain(family: TableFamily, table: string, chain: string): void {
    this.#message(NftMessage.deleteRule, NLM_F_REQUEST, family);
    this.#writer.attrText(NFTA_RULE_TABLE, table);
    this.#writer.attrText(NFTA_RULE_CHAIN, chain);
    this.#writer.endMessage();
    this.#message(NftMessage.deleteChain, NLM_F_REQUEST, family);
    this.#writer.attrText(NFTA_CHAIN_TABLE, table);
    this.#writer.attrText(NFTA_CHAIN_NAME, chain);
    this.#writer.endMessage();
  }

  /** At the end of the chain. */
  addRule(family: TableFamily, table: string, chain: string, expressions: readonly Expression[]): void {
    this.#message(NftMessage.newRule, NFT_CREATE | NLM_F_APPEND, family);
    this.#writer.attrText(NFTA_RULE_TABLE, table);
    this.#writer.attrText(NFTA_RULE_CHAIN, chain);
    const nested = this.#writer.beginNested(NFTA_RULE_EXPRESSIONS);
    for (const expression of expressions) encodeExpression(this.#writer, expression);
    this.#writer.endNested(nested);
    this.#writer.endMessage();
  }

  addSet(family: TableFamily, table: string, spec: SetSpec): void {
    this.#message(NftMessage.newSet, NFT_CREATE, family);
    encodeSet(this.#writer, table, spec, ++this.#sets);
    this.#writer.endMessage();
  }

  /** An element that is there already with another value fails the batch: delete it before. */
  addElements(family: TableFamily, table: string, spec: SetSpec, elements: readonly SetElement[]): void {
    this.#elements(NftMessage.newElement, NFT_CREATE, family, table, spec, elements);
  }

  deleteElements(family: TableFamily, table: string, spec: SetSpec, elements: readonly SetElement[]): void {
    this.#elements(NftMessage.deleteElement, NLM_F_REQUEST, family, table, spec, elements);
  }

  /** @returns the bytes, valid until the writer is used again, and the message that will be acknowledged */
  end(): { readonly bytes: Uint8Array; readonly acknowledged: number } {
    const acknowledged = this.#sequence - 1;
    // Kernels before 6.10 acknowledge no batch end: it is the last message proper that asks.
    const words = this.#writer.bytes();
    const flags = (words[this.#last + 6] ?? 0) | NLM_F_ACK;
    words[this.#last + 6] = flags;
    this.#writer.beginMessage(NFNL_MSG_BATCH_END, NLM_F_REQUEST, this.#next());
    this.#writer.octets(0, 0, 0, NFNL_SUBSYS_NFTABLES);
    this.#writer.endMessage();
    return { bytes: this.#writer.bytes(), acknowledged };
  }

  #elements(
    message: number,
    flags: number,
    family: TableFamily,
    table: string,
    spec: SetSpec,
    elements: readonly SetElement[],
  ): void {
    const writer = this.#writer;
    const encoder = new ElementEncoder(spec, message === NftMessage.newElement);
    let at = 0;
    while (at < elements.length) {
      this.#message(message, flags, family);
      writer.attrText(NFTA_SET_ELEM_LIST_TABLE, table);
      writer.attrText(NFTA_SET_ELEM_LIST_SET, spec.name);
      const list = writer.beginNested(NFTA_SET_ELEM_LIST_ELEMENTS);
      const limit = writer.length + LIST_BYTES;
      while (at < elements.length && writer.length < limit) {
        const element = elements[at++];
        if (element !== undefined) encoder.encode(writer, element);
      }
      writer.endNested(list);
      writer.endMessage();
    }
  }

  #message(message: number, flags: number, family: TableFamily): void {
    this.#last = this.#writer.length;
    this.#writer.beginMessage(nftType(message), flags, this.#next());
    nftHeader(this.#writer, family);
  }

  #next(): number {
    return this.#sequence++;
  }
}
