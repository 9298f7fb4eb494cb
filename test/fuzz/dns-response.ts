import { HEADER_BYTES } from "../../src/wire/dns.ts";
import { decodeMessage, type Message, writeLatin1 } from "../../src/wire/dns-message.ts";
import { type DnsName, lowerName, ROOT_NAME } from "../../src/wire/dns-name.ts";
import { formatRecordData, type ResourceRecord } from "../../src/wire/dns-record.ts";
import { RecordWriter } from "../../src/wire/dns-writer.ts";
import { hold, holdSame, unwrap } from "./property.ts";

/** Writes records behind a question, as a response has them, and reads them again: they have to say the same. */
export function holdRewritten(records: readonly ResourceRecord[], question: DnsName = ROOT_NAME): void {
  const writer = new RecordWriter(question);
  const left = records.findIndex((record) => !writer.write(record));
  const count = left < 0 ? records.length : left;
  const body = writer.finish();
  const bytes = new Uint8Array(HEADER_BYTES + question.length + 4 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(4, 1);
  view.setUint16(6, count);
  writeLatin1(bytes, HEADER_BYTES, question);
  bytes.set(body, HEADER_BYTES + question.length + 4);
  const again: Message = unwrap(decodeMessage(bytes), "what we write");
  hold(again.answers.length === count, `${again.answers.length} records of ${count}`);
  for (const [i, record] of again.answers.entries())
    holdSame(folded(record), folded(records[i]), "written and read again");
}

/** Names in lower case: a compression pointer may lead to other letters (RFC 4343). */
function folded(record: ResourceRecord | undefined) {
  if (record === undefined) return undefined;
  hold(record.ttl >= 0 && record.ttl <= 0x7fffffff, `a TTL of ${record.ttl} s`);
  hold(formatRecordData(record).length < 5 * 65_536, "a record that does not end when it is printed");
  return { ...record, name: lowerName(record.name), names: record.names.map(lowerName) };
}
