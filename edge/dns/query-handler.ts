import { EDNS_UDP_BYTES, Flag, MAX_MESSAGE_BYTES, Rcode } from "../../src/wire/dns.ts";
import { type DnsName, latin1 } from "../../src/wire/dns-name.ts";
import { QueryReader, Verdict } from "../../src/wire/dns-query.ts";
import { answerRcode, type ResponseOptions, STORED_TTL, writeError, writeResponse } from "./answer.ts";
import type { ForwardQuestion } from "./forwarder.ts";
import type { NameTable } from "./name-table.ts";
import type { QueryCounts } from "./query-counts.ts";
import type { Resolution, Resolver } from "./resolver.ts";

export type Transport = "udp" | "tcp";

/** `handle` has nothing to send: call `finish` at once, which sends later. */
export const LATER = -1;

/** Queries that wait for an upstream, over all clients: each keeps its packet and a closure, a kilobyte or so. */
const MAX_WAITING = 1024;

export interface HandlerDeps {
  readonly table: NameTable;
  readonly resolver: Resolver;
  readonly counts: QueryCounts;
  /** Whether the name is one of our own probes come back. */
  readonly sawQuestion: (name: DnsName) => boolean;
  /** 32 unpredictable bits. */
  readonly randomWord: () => number;
}

/** Bytes of a query in, bytes of the response out: the whole server except for its sockets. */
export class QueryHandler {
  readonly #deps: HandlerDeps;
  readonly #query: QueryReader;
  readonly #out = new Uint8Array(MAX_MESSAGE_BYTES);
  readonly #options: { -readonly [K in keyof ResponseOptions]: ResponseOptions[K] };
  #turn: number;
  #waiting = 0;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
    this.#query = new QueryReader(deps.randomWord());
    this.#turn = deps.randomWord() | 0;
    this.#options = { ttl: STORED_TTL, turn: 0, extendedError: undefined };
  }

  /**
   * Answers what can be answered at once, into `out`.
   *
   * @param out holds 1,232 bytes after `start` for UDP, 65,535 for TCP
   * @returns the offset after the response, `start` where nothing is to be sent, or LATER
   */
  handle(packet: Uint8Array, out: Uint8Array, start: number, transport: Transport): number {
    const { table, resolver, counts, sawQuestion } = this.#deps;
    const query = this.#query;
    switch (query.read(packet)) {
      case Verdict.Drop:
        counts.dropped("response");
        return start;
      case Verdict.Refuse:
        return this.#error(out, start, packet, query.rcode);
    }
    const prepared = table.prepared(query);
    if (prepared !== undefined) {
      counts.answered(prepared.flags & 0xf, "cluster");
      return writeResponse(out, start, this.#limit(transport), packet, query, prepared, this.#response(STORED_TTL));
    }
    const found = table.lookup(query);
    const question = this.#question();
    if (found === undefined && sawQuestion(question.name)) return this.#error(out, start, packet, Rcode.Refused);
    const resolution = resolver.resolveNow(question, found);
    if (resolution !== undefined) return this.#write(out, start, packet, transport, resolution);
    if (this.#waiting >= MAX_WAITING) return this.#error(out, start, packet, Rcode.ServFail);
    return LATER;
  }

  /**
   * Answers the query that `handle` just returned LATER for.
   *
   * @param send gets the response once; its bytes are only good until it returns
   */
  async finish(packet: Uint8Array, transport: Transport, send: (response: Uint8Array) => void): Promise<void> {
    const question = this.#question();
    const kept = packet.slice();
    this.#waiting += 1;
    try {
      const resolution = await this.#deps.resolver.resolve(question);
      // The reader has read other queries since.
      this.#query.read(kept);
      send(this.#out.subarray(0, this.#write(this.#out, 0, kept, transport, resolution)));
    } finally {
      this.#waiting -= 1;
    }
  }

  #question(): ForwardQuestion {
    const { name, nameBytes, type, dnssecOk, flags } = this.#query;
    const checkingDisabled = (flags & Flag.CheckingDisabled) !== 0;
    return { name: latin1(name, 0, nameBytes) as DnsName, type, dnssecOk, checkingDisabled };
  }

  #write(out: Uint8Array, start: number, packet: Uint8Array, transport: Transport, resolution: Resolution): number {
    const { answer, ttl, extendedError, source } = resolution;
    this.#deps.counts.answered(answerRcode(answer), source);
    const options = this.#response(ttl, extendedError);
    return writeResponse(out, start, this.#limit(transport), packet, this.#query, answer, options);
  }

  #error(out: Uint8Array, start: number, packet: Uint8Array, rcode: number): number {
    this.#deps.counts.answered(rcode, "error");
    return writeError(out, start, packet, this.#query, rcode);
  }

  #limit(transport: Transport): number {
    return transport === "tcp" ? MAX_MESSAGE_BYTES : Math.min(this.#query.udpBytes, EDNS_UDP_BYTES);
  }

  /** One object for all responses: they are written before the next one. */
  #response(ttl: ResponseOptions["ttl"], extendedError?: number): ResponseOptions {
    // Not a counter: a client that asks for A and AAAA in turn would always get the same half. Knuth's generator.
    this.#turn = (Math.imul(this.#turn, 1_664_525) + 1_013_904_223) | 0;
    this.#options.ttl = ttl;
    this.#options.turn = this.#turn >>> 8;
    this.#options.extendedError = extendedError;
    return this.#options;
  }
}
