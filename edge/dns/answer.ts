import { Flag, HEADER_BYTES, Rcode, RecordType } from "../../src/wire/dns.ts";
import { EXTENDED_ERROR_BYTES, encodeOpt, OPT_BYTES } from "../../src/wire/dns-edns.ts";
import type { DnsName } from "../../src/wire/dns-name.ts";
import { type QueryReader, skipName, uint16 } from "../../src/wire/dns-query.ts";
import type { ResourceRecord } from "../../src/wire/dns-record.ts";
import { RecordWriter } from "../../src/wire/dns-writer.ts";

/**
 * What follows the question of a response, ready to be copied behind every query for the name: its compression
 * pointers count from the message's start and lead into the question, whose letter case is so the client's own.
 */
export interface Answer {
  /** AA, AD and the rcode, as the header has them. */
  readonly flags: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
  readonly body: Uint8Array;
  /** The addresses at the end of the body, which may stand in any order: where they begin, */
  readonly turnFrom: number;
  /** and the bytes of each; 0 where the order of all records is kept. */
  readonly turnBytes: number;
}

export interface AnswerParts {
  readonly flags: number;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  readonly additionals?: readonly ResourceRecord[];
}

/** Records that exceed a message of 65,535 bytes are left out, the last first. */
export function makeAnswer(question: DnsName, parts: AnswerParts): Answer {
  const writer = new RecordWriter(question);
  const [answers, authorities, additionals] = [parts.answers, parts.authorities, parts.additionals].map(
    (records = []) => {
      const left = records.findIndex((record) => !writer.write(record));
      return left < 0 ? records.length : left;
    },
  );
  const body = writer.finish();
  const counts = { answers: answers ?? 0, authorities: authorities ?? 0, additionals: additionals ?? 0 };
  const isLast = counts.authorities + counts.additionals === 0;
  return {
    flags: parts.flags,
    ...counts,
    body,
    ...(isLast ? findTurning(body, (parts.answers ?? []).slice(0, counts.answers)) : NOTHING_TURNS),
  };
}

type Turning = Pick<Answer, "turnFrom" | "turnBytes">;

const NOTHING_TURNS: Turning = { turnFrom: 0, turnBytes: 0 };

/** Resolvers turn the records of a set (unbound's rrset-roundrobin, CoreDNS' loadbalance): clients take the first one. */
function findTurning(body: Uint8Array, answers: readonly ResourceRecord[]): Turning {
  const count = addressCount(answers);
  if (count < 2) return NOTHING_TURNS;
  const ends = recordEnds(body, answers.length);
  const turnFrom = ends.at(-count - 1) ?? 0;
  const turnBytes = (body.length - turnFrom) / count;
  // They are not where the first one's owner stands in full, and the others' point to it.
  const alike = ends.slice(-count).every((end, i) => end === turnFrom + (i + 1) * turnBytes);
  return alike ? { turnFrom, turnBytes } : NOTHING_TURNS;
}

/** How many addresses of one owner and family there are at the end. */
function addressCount(answers: readonly ResourceRecord[]): number {
  const last = answers.at(-1);
  if (last?.type !== RecordType.A && last?.type !== RecordType.AAAA) return 0;
  const before = answers.findLastIndex(({ name, type }) => name !== last.name || type !== last.type);
  return answers.length - 1 - before;
}

export function answerRcode(answer: Answer): number {
  return answer.flags & 0xf;
}

/** How the records' TTLs are shown: as stored, less what has passed, or one value for all (RFC 8767 section 4). */
export type TtlRule =
  | { readonly kind: "stored" }
  | { readonly kind: "elapsed"; readonly seconds: number }
  | { readonly kind: "fixed"; readonly seconds: number };

export const STORED_TTL: TtlRule = { kind: "stored" };

export interface ResponseOptions {
  readonly ttl: TtlRule;
  /** Which of the addresses comes first, where they turn: any number from 0. */
  readonly turn: number;
  /** RFC 8914; sent only to clients that speak EDNS. */
  readonly extendedError: number | undefined;
}

/**
 * Writes the response to the query that `query` has read from `packet`. Where it is larger than `limit`, glue goes
 * first (RFC 2181 section 9); then whole answer records, with TC set, so that clients without TCP still get some.
 *
 * @param limit what the client takes, at least 512
 * @returns the offset after the response
 */
export function writeResponse(
  out: Uint8Array,
  start: number,
  limit: number,
  packet: Uint8Array,
  query: QueryReader,
  answer: Answer,
  options: ResponseOptions,
): number {
  const { body } = answer;
  const optBytes = !query.hasEdns
    ? 0
    : options.extendedError === undefined
      ? OPT_BYTES
      : OPT_BYTES + EXTENDED_ERROR_BYTES;
  const at = start + query.questionEnd;
  const room = limit - query.questionEnd - optBytes;
  let { answers, authorities, additionals } = answer;
  let flags = Flag.Response | Flag.RecursionAvailable | answer.flags;
  flags |= query.flags & (Flag.RecursionDesired | Flag.CheckingDisabled);
  let kept = body.length;
  if (kept > room) {
    const ends = recordEnds(body, answers + authorities);
    additionals = 0;
    kept = ends.at(-1) ?? 0;
    if (kept > room) {
      flags |= Flag.Truncated;
      authorities = 0;
      answers = ends.filter((end, i) => i < answer.answers && end <= room).length;
      kept = ends[answers - 1] ?? 0;
    }
  }
  copyTurned(out, at, answer, kept, options.turn);
  let end = at + kept;
  if (options.ttl.kind !== "stored") showTtls(out, at, answers + authorities + additionals, options.ttl);
  if (query.hasEdns) {
    end = encodeOpt(out, end, answer.flags & 0xf, query.dnssecOk, options.extendedError);
    additionals += 1;
  }
  for (let i = HEADER_BYTES; i < query.questionEnd; i++) out[start + i] = packet[i] ?? 0;
  writeHeader(out, start, query.id, flags, 1);
  out[start + 6] = answers >> 8;
  out[start + 7] = answers & 0xff;
  out[start + 8] = authorities >> 8;
  out[start + 9] = authorities & 0xff;
  out[start + 10] = additionals >> 8;
  out[start + 11] = additionals & 0xff;
  return end;
}

/** A response without records: an error, with the question where the query had a whole one. */
export function writeError(
  out: Uint8Array,
  start: number,
  packet: Uint8Array,
  query: QueryReader,
  rcode: number,
  extendedError?: number,
): number {
  const opcode = query.flags & 0x7800;
  const kept = query.flags & (Flag.RecursionDesired | Flag.CheckingDisabled);
  const flags = Flag.Response | Flag.RecursionAvailable | opcode | kept | (rcode & 0xf);
  writeHeader(out, start, query.id, flags, query.questionEnd > 0 ? 1 : 0);
  out.fill(0, start + 6, start + HEADER_BYTES);
  let end = start + HEADER_BYTES;
  for (let i = HEADER_BYTES; i < query.questionEnd; i++) out[end++] = packet[i] ?? 0;
  if (!query.hasEdns) return end;
  out[start + 11] = 1;
  return encodeOpt(out, end, rcode === Rcode.BadVers ? Rcode.BadVers : rcode & 0xf, query.dnssecOk, extendedError);
}

function writeHeader(out: Uint8Array, at: number, id: number, flags: number, questions: number): void {
  out[at] = id >> 8;
  out[at + 1] = id & 0xff;
  out[at + 2] = flags >> 8;
  out[at + 3] = flags & 0xff;
  out[at + 4] = 0;
  out[at + 5] = questions;
}

/** Copies the first `kept` bytes of the body; of addresses that turn as many, from another one on. */
function copyTurned(out: Uint8Array, at: number, answer: Answer, kept: number, turn: number): void {
  const { body, turnFrom, turnBytes } = answer;
  const turned = turnBytes === 0 ? 0 : (turn % ((body.length - turnFrom) / turnBytes)) * turnBytes;
  if (turned === 0 || kept <= turnFrom) {
    out.set(kept === body.length ? body : body.subarray(0, kept), at);
    return;
  }
  if (turnFrom > 0) out.set(body.subarray(0, turnFrom), at);
  const from = turnFrom + turned;
  const tail = body.subarray(from, Math.min(body.length, from + kept - turnFrom));
  out.set(tail, at + turnFrom);
  const copied = turnFrom + tail.length;
  if (copied < kept) out.set(body.subarray(turnFrom, turnFrom + kept - copied), at + copied);
}

/** The offset after each of the first `count` records. The bytes are our own writer's. */
function recordEnds(body: Uint8Array, count: number): number[] {
  const ends: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    at = skipName(body, at);
    at += 10 + uint16(body, at + 8);
    ends.push(at);
  }
  return ends;
}

function showTtls(out: Uint8Array, start: number, count: number, rule: TtlRule): void {
  let at = start;
  for (let i = 0; i < count; i++) {
    at = skipName(out, at);
    const stored = uint16(out, at + 4) * 0x10000 + uint16(out, at + 6);
    const shown =
      rule.kind === "elapsed" ? Math.max(0, stored - rule.seconds) : rule.kind === "fixed" ? rule.seconds : stored;
    out[at + 4] = shown >>> 24;
    out[at + 5] = (shown >>> 16) & 0xff;
    out[at + 6] = (shown >>> 8) & 0xff;
    out[at + 7] = shown & 0xff;
    at += 10 + uint16(out, at + 8);
  }
}
