import type { Clock } from "../../src/base/clock.ts";
import { elapsed } from "../../src/base/clock.ts";
import { ExtendedError, Flag, HEADER_BYTES, Rcode } from "../../src/wire/dns.ts";
import { decodeMessage, type Message, writeLatin1 } from "../../src/wire/dns-message.ts";
import type { DnsName } from "../../src/wire/dns-name.ts";
import type { ResourceRecord } from "../../src/wire/dns-record.ts";
import { type Answer, answerRcode, makeAnswer, STORED_TTL, type TtlRule } from "./answer.ts";
import { STALE_TTL_SECONDS } from "./answer-cache.ts";
import type { Forwarded, Forwarder, ForwardQuestion } from "./forwarder.ts";
import type { Found } from "./found.ts";
import type { NameTable } from "./name-table.ts";

/** Where an answer is from; error: nowhere. */
export type AnswerSource = "cluster" | "cache" | "stale" | "upstream" | "error";

export interface Resolution {
  readonly answer: Answer;
  readonly ttl: TtlRule;
  readonly source: AnswerSource;
  /** RFC 8914. */
  readonly extendedError: number | undefined;
}

/** A question and the ExternalNames that lead from its name to the one that has the answer. */
interface Path {
  readonly aliases: readonly ResourceRecord[];
  /** What is left to ask for. */
  readonly question: ForwardQuestion;
  /** Undefined where that is not in the cluster. */
  readonly end: Resolution | undefined;
}

/** An ExternalName that leads to an ExternalName and so on: real chains have one or two links. */
const MAX_ALIASES = 8;

/** The cluster's table first, everything else through the forwarder; aliases lead from the one into the other. */
export class Resolver {
  readonly #table: NameTable;
  readonly #forwarder: Forwarder;
  readonly #clock: Clock;

  constructor(table: NameTable, forwarder: Forwarder, clock: Clock) {
    this.#table = table;
    this.#forwarder = forwarder;
    this.#clock = clock;
  }

  /**
   * @param found what the table says to the question
   * @returns undefined when somebody has to be asked first: see `resolve`
   */
  resolveNow(question: ForwardQuestion, found: Found | undefined): Resolution | undefined {
    const path = this.#follow(question, found);
    if (path.end !== undefined) return behindAliases(question, path, path.end);
    const forwarded = this.#forwarder.answerNow(path.question);
    if (forwarded === undefined) return undefined;
    return behindAliases(question, path, this.#resolution(path.question.name, forwarded));
  }

  async resolve(question: ForwardQuestion): Promise<Resolution> {
    const path = this.#follow(question, this.#table.find(question.name, question.type));
    if (path.end !== undefined) return behindAliases(question, path, path.end);
    const forwarded = await this.#forwarder.answer(path.question);
    return behindAliases(question, path, this.#resolution(path.question.name, forwarded));
  }

  #follow(question: ForwardQuestion, first: Found | undefined): Path {
    const aliases: ResourceRecord[] = [];
    let name = question.name;
    let found = first;
    while (found?.kind === "alias") {
      if (aliases.length === MAX_ALIASES) return { aliases: [], question, end: failure(question.name, undefined) };
      aliases.push(found.record);
      name = found.target;
      found = this.#table.find(name, question.type);
    }
    const last = aliases.length === 0 ? question : { ...question, name };
    return { aliases, question: last, end: found && clusterResolution(found.answer) };
  }

  #resolution(name: DnsName, forwarded: Forwarded): Resolution {
    if (forwarded.kind === "failed") return failure(name, forwarded.extendedError);
    const { cached, source } = forwarded;
    const { answer } = cached;
    if (source === "stale") {
      const negative = answerRcode(answer) === Rcode.NxDomain;
      const extendedError = negative ? ExtendedError.StaleNxdomain : ExtendedError.StaleAnswer;
      return { answer, source, ttl: { kind: "fixed", seconds: STALE_TTL_SECONDS }, extendedError };
    }
    // A SERVFAIL that is kept for a moment is no answer from a cache to whoever reads the metrics.
    const from = answerRcode(answer) === Rcode.ServFail ? "error" : source;
    const seconds = Math.floor(elapsed(cached.stored, this.#clock.now()) / 1000);
    return { answer, source: from, ttl: { kind: "elapsed", seconds }, extendedError: undefined };
  }
}

function behindAliases(question: ForwardQuestion, path: Path, end: Resolution): Resolution {
  if (path.aliases.length === 0) return end;
  const shown = readAnswer(path.question.name, question.type, end);
  const parts = {
    flags: Flag.Authoritative | answerRcode(end.answer),
    answers: [...path.aliases, ...(shown?.answers ?? [])],
    authorities: shown?.authorities ?? [],
  };
  return { ...end, answer: makeAnswer(question.name, parts), ttl: STORED_TTL };
}

function clusterResolution(answer: Answer): Resolution {
  return { answer, ttl: STORED_TTL, source: "cluster", extendedError: undefined };
}

function failure(name: DnsName, extendedError: number | undefined): Resolution {
  return { answer: makeAnswer(name, { flags: Rcode.ServFail }), ttl: STORED_TTL, source: "error", extendedError };
}

/** The records of an answer, with the TTLs that a client would be shown. */
export function readAnswer(name: DnsName, type: number, { answer, ttl }: Resolution): Message | undefined {
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 4 + answer.body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, Flag.Response | answer.flags);
  view.setUint16(4, 1);
  view.setUint16(6, answer.answers);
  view.setUint16(8, answer.authorities);
  view.setUint16(10, answer.additionals);
  writeLatin1(bytes, HEADER_BYTES, name);
  view.setUint16(HEADER_BYTES + name.length, type);
  view.setUint16(HEADER_BYTES + name.length + 2, 1);
  bytes.set(answer.body, HEADER_BYTES + name.length + 4);
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return undefined;
  const shown = (records: readonly ResourceRecord[]) =>
    records.map((record) => ({ ...record, ttl: shownTtl(record.ttl, ttl) }));
  const { answers, authorities, additionals } = decoded.value;
  return {
    ...decoded.value,
    answers: shown(answers),
    authorities: shown(authorities),
    additionals: shown(additionals),
  };
}

function shownTtl(stored: number, rule: TtlRule): number {
  if (rule.kind === "stored") return stored;
  return rule.kind === "fixed" ? rule.seconds : Math.max(0, stored - rule.seconds);
}
