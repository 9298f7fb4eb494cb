import { Flag, Rcode, RecordType } from "../../src/wire/dns.ts";
import { decodeMessage, type Message, type Question } from "../../src/wire/dns-message.ts";
import { lowerName } from "../../src/wire/dns-name.ts";
import { uint16 } from "../../src/wire/dns-query.ts";
import { type ResourceRecord, soaMinimumSeconds } from "../../src/wire/dns-record.ts";
import { type Answer, makeAnswer } from "./answer.ts";
import { type Lifetime, MOST_TTL } from "./answer-cache.ts";

/** The answer to this very query, or undefined for anything else (RFC 5452 section 9.1). */
export function matchResponse(bytes: Uint8Array, id: number, question: Question): Message | undefined {
  // A forger who does not know the id shall not keep us busy with the rest.
  if (uint16(bytes, 0) !== id) return undefined;
  const decoded = decodeMessage(bytes);
  if (!decoded.ok) return undefined;
  const message = decoded.value;
  const [asked, ...more] = message.questions;
  if ((message.flags & Flag.Response) === 0 || (message.flags & 0x7800) !== 0) return undefined;
  // Such a server may say it by a header alone. A forger who knows the id could say worse.
  if (asked === undefined) return refusesEdns(message) ? message : undefined;
  const matches =
    more.length === 0 &&
    lowerName(asked.name) === question.name &&
    asked.type === question.type &&
    asked.class === question.class;
  return matches ? message : undefined;
}

/** Servers of before RFC 6891 cannot read the query (its section 7), and say so without EDNS of their own. */
export function refusesEdns({ rcode, edns }: Message): boolean {
  return (rcode === Rcode.FormErr || rcode === Rcode.NotImp) && edns === undefined;
}

export interface ForwardedAnswer {
  readonly answer: Answer;
  /** Undefined: not to be kept (RFC 2308 section 5: a negative answer without SOA). */
  readonly lifetime: Lifetime | undefined;
}

/** @returns undefined for what is no answer but a failure of the server */
export function readForwardedAnswer(message: Message, question: Question): ForwardedAnswer | undefined {
  const { rcode } = message;
  if (rcode !== Rcode.NoError && rcode !== Rcode.NxDomain) return undefined;
  const parts = {
    flags: (message.flags & Flag.AuthenticData) | rcode,
    answers: clampTtls(message.answers),
    authorities: clampTtls(message.authorities),
    additionals: clampTtls(message.additionals),
  };
  const answer = makeAnswer(question.name, parts);
  // Other names than those of RFC 1035 are written out in full, so that a response can grow past what a message holds.
  if (answer.answers !== message.answers.length || answer.authorities !== message.authorities.length) return undefined;
  return { answer, lifetime: lifetimeOf(message, question) };
}

function lifetimeOf(message: Message, question: Question): Lifetime | undefined {
  const kept = [...message.answers, ...message.authorities].map((record) => record.ttl);
  const positive =
    message.rcode === Rcode.NoError &&
    message.answers.some((record) => record.type === question.type || question.type === RecordType.ANY);
  if (positive) return { ttlSeconds: Math.min(...kept), negative: false };
  const soa = message.authorities.find((record) => record.type === RecordType.SOA);
  const minimum = soa === undefined ? undefined : soaMinimumSeconds(soa);
  return minimum === undefined ? undefined : { ttlSeconds: Math.min(minimum, ...kept), negative: true };
}

function clampTtls(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  return records.map((record) => ({ ...record, ttl: Math.min(record.ttl, MOST_TTL / 1000) }));
}
