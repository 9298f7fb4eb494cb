import { RecordType } from "../../src/wire/dns.ts";
import type { DnsName } from "../../src/wire/dns-name.ts";
import type { ResourceRecord } from "../../src/wire/dns-record.ts";
import { type Answer, makeAnswer } from "./answer.ts";
import { AUTHORITATIVE, minimalAnyRecord, NO_SUCH_NAME } from "./zone.ts";

/** What is said of a name that is ours to answer. */
export type Found =
  /** With an owner it may be kept until that changes. */
  | { readonly kind: "answer"; readonly answer: Answer; readonly owner: string | undefined }
  /** An ExternalName service: the rest of the answer is found where the alias leads. */
  | { readonly kind: "alias"; readonly record: ResourceRecord; readonly target: DnsName };

/** A name that exists, with its records of the type or without any. */
export function foundRecords(
  soa: ResourceRecord,
  name: DnsName,
  type: number,
  found: readonly ResourceRecord[],
  owner: string | undefined,
  additionals: readonly ResourceRecord[] = [],
): Found {
  const answers = type === RecordType.ANY ? [minimalAnyRecord(name)] : found;
  const authorities = answers.length === 0 ? [soa] : [];
  return {
    kind: "answer",
    answer: makeAnswer(name, { flags: AUTHORITATIVE, answers, authorities, additionals }),
    owner,
  };
}

/** Not kept: there is no end of names that do not exist. */
export function foundNoName(soa: ResourceRecord, name: DnsName): Found {
  return {
    kind: "answer",
    answer: makeAnswer(name, { flags: NO_SUCH_NAME, authorities: [soa] }),
    owner: undefined,
  };
}
