import { SelvedgeError } from "../base/errors.ts";
import type { NetlinkAck, NetlinkMessage } from "../wire/netlink.ts";
import {
  decodeChain,
  decodeElementList,
  decodeGeneration,
  decodeRule,
  decodeSet,
  decodeTable,
  decodeTableName,
  encodeGetChains,
  encodeGetElements,
  encodeGetGeneration,
  encodeGetRules,
  encodeGetSets,
  encodeGetTables,
  NFNLGRP_NFTABLES,
  type NftChain,
  NftMessage,
  type NftRule,
  type NftTable,
  nftMessageOf,
  type TableFamily,
} from "../wire/nftables.ts";
import type { NftBatch } from "../wire/nftables-batch.ts";
import type { SetElement } from "../wire/nftables-element.ts";
import type { SetSpec } from "../wire/nftables-set.ts";
import { systemError } from "./errno.ts";
import { NetlinkEvents } from "./netlink-events.ts";
import { type EncodeRequest, NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";

const ERESTART = 85;

/** The kernel's nftables, over nfnetlink: no `nft` program is needed, or run. */
export class Nftables {
  readonly #socket: NetlinkSocket;
  #port = 0;

  /** @throws SelvedgeError NFT_MISSING when this kernel has no nftables; EPERM without CAP_NET_ADMIN */
  constructor() {
    try {
      this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    } catch (error) {
      throw missing(error);
    }
    try {
      this.generation();
    } catch (error) {
      this.#socket.close();
      throw error instanceof SelvedgeError && error.code === "EINVAL" ? missing(error) : error;
    }
  }

  /** The number of the last transaction that anybody committed in this network namespace. */
  generation(): number {
    const [generation = 0] = this.#socket.request("read the nftables generation", encodeGetGeneration, (message) => {
      this.#port = message.port;
      return decodeGeneration(message);
    });
    return generation;
  }

  tables(): readonly NftTable[] {
    return this.#socket.request("list nftables tables", encodeGetTables, decodeTable);
  }

  chains(family: TableFamily, table: string): readonly string[] {
    return this.allChains(family)
      .filter((chain) => chain.table === table)
      .map((chain) => chain.name);
  }

  /** @param family undefined: of every family, bridges' included */
  allChains(family?: TableFamily): readonly NftChain[] {
    const encode: EncodeRequest = (writer, sequence) => encodeGetChains(writer, sequence, family);
    return this.#socket.request("list nftables chains", encode, decodeChain);
  }

  sets(family: TableFamily, table: string): readonly string[] {
    const encode = encodeGetSets;
    return this.#socket
      .request("list nftables sets", (writer, sequence) => encode(writer, sequence, family, table), decodeSet)
      .filter((set) => set.table === table)
      .map((set) => set.name);
  }

  /** In the order in which the kernel runs them, chain by chain. @param only the rules of this chain */
  rules(family: TableFamily, table: string, only?: string): readonly NftRule[] {
    const encode = encodeGetRules;
    return this.#socket
      .request("list nftables rules", (writer, sequence) => encode(writer, sequence, family, table, only), decodeRule)
      .filter((rule) => rule.table === table && (only ?? rule.chain) === rule.chain);
  }

  elements(family: TableFamily, table: string, spec: SetSpec): readonly SetElement[] {
    return this.#socket
      .request(
        `list the elements of nftables set ${spec.name}`,
        (writer, sequence) => encodeGetElements(writer, sequence, family, table, spec.name),
        (message) => decodeElementList(message, spec),
      )
      .flat();
  }

  /**
   * Commits a batch that was begun and not ended.
   *
   * @param what completes "Cannot …"
   * @throws SelvedgeError with the errno's name, such as EEXIST, ENOENT, EBUSY; NFT_OUTRUN when another transaction
   *   came in between and the batch said that none may; NFT_UNANSWERED. Nothing of the batch happened then.
   */
  commit(what: string, batch: NftBatch): void {
    if (batch.size === 0) return;
    const { bytes, acknowledged } = batch.end();
    const acks = this.#socket.transact(what, bytes);
    const failed = acks.find((ack) => ack.errno !== 0);
    if (failed !== undefined) throw commitError(what, failed);
    if (!acks.some((ack) => ack.sequence === acknowledged)) {
      throw new SelvedgeError(`Cannot ${what} as the kernel did not answer: got ${acks.length} acknowledgements`, {
        code: "NFT_UNANSWERED",
        blame: "host",
        retry: "now",
      });
    }
  }

  /**
   * Tells when somebody else changes or deletes the named tables, or what is in them.
   *
   * @param onChange also when events were lost, as any of them may have been one
   */
  async watch(table: string, onChange: () => void, onFailure: (error: unknown) => void): Promise<NetlinkEvents> {
    return NetlinkEvents.open(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], {
      onMessages: (messages) => {
        if (messages.some((message) => this.#isForeignChange(message, table))) onChange();
      },
      onOverflow: onChange,
      onFailure,
    });
  }

  close(): void {
    this.#socket.close();
  }

  #isForeignChange(message: NetlinkMessage, table: string): boolean {
    const kind = nftMessageOf(message.type);
    // Events carry the port of the socket that asked for the change.
    if (kind === undefined || kind === NftMessage.newGeneration || message.port === this.#port) return false;
    const named = decodeTableName(message);
    return named.ok ? named.value === table : true;
  }
}

function missing(cause: unknown): SelvedgeError {
  if (cause instanceof SelvedgeError && (cause.code === "EPERM" || cause.code === "EACCES")) return cause;
  return new SelvedgeError("Cannot use nftables as this kernel does not answer to it", {
    code: "NFT_MISSING",
    blame: "host",
    retry: "never",
    hint: "Load or build nf_tables, nft_nat and nft_fib_inet, or run with --proxy-mode=userspace.",
    cause,
  });
}

function commitError(what: string, ack: NetlinkAck): SelvedgeError {
  if (ack.errno === ERESTART) {
    return new SelvedgeError(`Cannot ${what} as another program changed nftables meanwhile`, {
      code: "NFT_OUTRUN",
      blame: "host",
      retry: "now",
    });
  }
  const text = `message ${ack.sequence}${ack.text === undefined ? "" : `, ${ack.text}`}`;
  return systemError(what, ack.errno, text);
}
