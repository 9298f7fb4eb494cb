import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { Flag, HEADER_BYTES, RecordType } from "./dns.ts";
import { decodeEdns, type Edns } from "./dns-edns.ts";
import { type DnsName, decodeName } from "./dns-name.ts";
import { decodeRecord, type ResourceRecord } from "./dns-record.ts";

export interface Question {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
}

export interface Message {
  readonly id: number;
  /** The header's second word, with opcode and the low bits of the rcode; see `Flag`. */
  readonly flags: number;
  /** All twelve bits where there is EDNS. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

/** A root name, type, class, TTL and data length: no record is shorter, so the counts bound themselves. */
const LEAST_RECORD_BYTES = 11;
const LEAST_QUESTION_BYTES = 5;

/** Reads a whole message (RFC 1035 section 4); bytes after the last record are ignored, as BIND does. */
export function decodeMessage(bytes: Uint8Array): Result<Message, DecodeError> {
  if (bytes.length < HEADER_BYTES) return fail({ at: bytes.length, why: "message is shorter than its header" });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at));
  const [questionCount = 0, ...recordCounts] = counts;
  const least =
    questionCount * LEAST_QUESTION_BYTES + recordCounts.reduce((sum, count) => sum + count * LEAST_RECORD_BYTES, 0);
  if (HEADER_BYTES + least > bytes.length) return fail({ at: 4, why: "counts are larger than the message" });

  let at = HEADER_BYTES;
  const questions: Question[] = [];
  for (let i = 0; i < questionCount; i++) {
    const name = decodeName(bytes, at);
    if (!name.ok) return name;
    at = name.value.next;
    if (at + 4 > bytes.length) return fail({ at, why: "question runs past the end" });
    questions.push({ name: name.value.name, type: view.getUint16(at), class: view.getUint16(at + 2) });
    at += 4;
  }

  const sections: ResourceRecord[][] = [[], [], []];
  let edns: Edns | undefined;
  for (const [section, records] of sections.entries()) {
    for (let i = 0; i < (recordCounts[section] ?? 0); i++) {
      const decoded = decodeRecord(bytes, at);
      if (!decoded.ok) return decoded;
      const { record, next } = decoded.value;
      if (record.type !== RecordType.OPT) {
        records.push(record);
      } else {
        if (edns !== undefined || section !== 2 || record.name !== "\0") {
          return fail({ at, why: "OPT record is not the only one of the additional section" });
        }
        // The TTL's bits stand four bytes after the type, which follows the root name.
        const opt = decodeEdns(record, view.getUint32(at + 5));
        if (!opt.ok) return opt;
        edns = opt.value;
      }
      at = next;
    }
  }
  const [answers = [], authorities = [], additionals = []] = sections;
  const flags = view.getUint16(2);
  const rcode = ((edns?.extendedRcode ?? 0) << 4) | (flags & 0xf);
  return ok({ id: view.getUint16(0), flags, rcode, questions, answers, authorities, additionals, edns });
}

export interface QueryOptions {
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  /** What the answer may have over UDP; undefined leaves EDNS out, and so `dnssecOk`. */
  readonly udpBytes: number | undefined;
}

/** A query with one question. @returns a new message */
export function encodeQuery(id: number, question: Question, options: QueryOptions): Uint8Array {
  const { name, type } = question;
  const { udpBytes } = options;
  const bytes = new Uint8Array(HEADER_BYTES + name.length + 4 + (udpBytes === undefined ? 0 : LEAST_RECORD_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, Flag.RecursionDesired | (options.checkingDisabled ? Flag.CheckingDisabled : 0));
  view.setUint16(4, 1);
  writeLatin1(bytes, HEADER_BYTES, name);
  const at = HEADER_BYTES + name.length;
  view.setUint16(at, type);
  view.setUint16(at + 2, question.class);
  if (udpBytes === undefined) return bytes;
  view.setUint16(10, 1);
  view.setUint16(at + 5, RecordType.OPT);
  view.setUint16(at + 7, udpBytes);
  view.setUint32(at + 9, options.dnssecOk ? 0x8000 : 0);
  return bytes;
}

export function writeLatin1(out: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
}
