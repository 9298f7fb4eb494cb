import { type Ip, ipBytes, ipFamily, ipFromBytes } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { CLASS_IN, RecordType } from "./dns.ts";
import { type DnsName, decodeName, formatName, latin1 } from "./dns-name.ts";

/**
 * A resource record. Its data is fixed bytes, then names, then the rest: that covers every type whose names may be
 * compressed (RFC 1035, and RFC 3597 section 4 for what receivers must expand); for others all data is `rest`.
 */
export interface ResourceRecord {
  readonly name: DnsName;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  readonly fixed: Uint8Array;
  readonly names: readonly DnsName[];
  readonly rest: Uint8Array;
}

interface DataLayout {
  readonly fixedBytes: number;
  readonly names: number;
  /** Only the types of RFC 1035 may be written compressed (RFC 3597 section 4). */
  readonly compress: boolean;
}

const OPAQUE: DataLayout = { fixedBytes: 0, names: 0, compress: false };
const ONE_NAME: DataLayout = { fixedBytes: 0, names: 1, compress: true };

/** MD, MF, MB, MG, MR; MINFO; RP, AFSDB, RT, PX, KX and DNAME have no other use here, so they go by number. */
const LAYOUTS: ReadonlyMap<number, DataLayout> = new Map([
  [RecordType.NS, ONE_NAME],
  [RecordType.CNAME, ONE_NAME],
  [RecordType.PTR, ONE_NAME],
  [3, ONE_NAME],
  [4, ONE_NAME],
  [7, ONE_NAME],
  [8, ONE_NAME],
  [9, ONE_NAME],
  [RecordType.SOA, { fixedBytes: 0, names: 2, compress: true }],
  [14, { fixedBytes: 0, names: 2, compress: true }],
  [RecordType.MX, { fixedBytes: 2, names: 1, compress: true }],
  [RecordType.SRV, { fixedBytes: 6, names: 1, compress: false }],
  [17, { fixedBytes: 0, names: 2, compress: false }],
  [18, { fixedBytes: 2, names: 1, compress: false }],
  [21, { fixedBytes: 2, names: 1, compress: false }],
  [26, { fixedBytes: 2, names: 2, compress: false }],
  [36, { fixedBytes: 2, names: 1, compress: false }],
  [39, { fixedBytes: 0, names: 1, compress: false }],
]);

export function dataLayout(type: number): DataLayout {
  return LAYOUTS.get(type) ?? OPAQUE;
}

const NO_BYTES = new Uint8Array(0);

function record(
  name: DnsName,
  type: number,
  ttl: number,
  data: { readonly fixed?: Uint8Array; readonly names?: readonly DnsName[]; readonly rest?: Uint8Array },
): ResourceRecord {
  const { fixed = NO_BYTES, names = [], rest = NO_BYTES } = data;
  return { name, type, class: CLASS_IN, ttl, fixed, names, rest };
}

/** A or AAAA, by the address's family. */
export function addressRecord(name: DnsName, ttl: number, address: Ip): ResourceRecord {
  const type = ipFamily(address) === 4 ? RecordType.A : RecordType.AAAA;
  return record(name, type, ttl, { rest: ipBytes(address) });
}

export function nameRecord(name: DnsName, type: number, ttl: number, target: DnsName): ResourceRecord {
  return record(name, type, ttl, { names: [target] });
}

export interface ServiceLocation {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: DnsName;
}

/** RFC 2782. */
export function srvRecord(name: DnsName, ttl: number, location: ServiceLocation): ResourceRecord {
  const { priority, weight, port, target } = location;
  const fixed = Uint8Array.of(priority >> 8, priority, weight >> 8, weight, port >> 8, port);
  return record(name, RecordType.SRV, ttl, { fixed, names: [target] });
}

/** @param text ASCII, at most 255 characters */
export function textRecord(name: DnsName, ttl: number, text: string): ResourceRecord {
  const rest = Uint8Array.of(text.length, ...Array.from(text, (char) => char.charCodeAt(0)));
  return record(name, RecordType.TXT, ttl, { rest });
}

export interface StartOfAuthority {
  readonly primary: DnsName;
  readonly mailbox: DnsName;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  /** How long a negative answer may be kept (RFC 2308 section 4). */
  readonly minimumSeconds: number;
}

export function soaRecord(name: DnsName, ttl: number, soa: StartOfAuthority): ResourceRecord {
  const rest = new Uint8Array(20);
  const view = new DataView(rest.buffer);
  view.setUint32(0, soa.serial);
  view.setUint32(4, soa.refreshSeconds);
  view.setUint32(8, soa.retrySeconds);
  view.setUint32(12, soa.expireSeconds);
  view.setUint32(16, soa.minimumSeconds);
  return record(name, RecordType.SOA, ttl, { names: [soa.primary, soa.mailbox], rest });
}

/** The last field of an SOA; undefined for other records. */
export function soaMinimumSeconds(soa: ResourceRecord): number | undefined {
  if (soa.type !== RecordType.SOA || soa.rest.length !== 20) return undefined;
  return new DataView(soa.rest.buffer, soa.rest.byteOffset).getUint32(16);
}

/** What the record says, as `dig` writes it; "\# 3 0102ff" (RFC 3597 section 5) where the type is not known here. */
export function formatRecordData(data: ResourceRecord): string {
  const names = data.names.map((name) => (name === "\0" ? "." : `${formatName(name)}.`));
  const numbers = (bytes: Uint8Array, size: 2 | 4) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / size }, (_, i) =>
      size === 2 ? view.getUint16(2 * i) : view.getUint32(4 * i),
    );
  };
  switch (data.type) {
    case RecordType.A:
    case RecordType.AAAA:
      return ipFromBytes(data.rest);
    case RecordType.TXT:
    case RecordType.HINFO:
      return characterStrings(data.rest).join(" ");
    default:
      if (data.names.length > 0) return [...numbers(data.fixed, 2), ...names, ...numbers(data.rest, 4)].join(" ");
      return `\\# ${data.rest.length} ${data.rest.toHex()}`;
  }
}

function characterStrings(bytes: Uint8Array): string[] {
  const strings: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    const text = latin1(bytes, at + 1, Math.min(at + 1 + length, bytes.length));
    strings.push(`"${text.replace(/["\\]|[^ -~]/g, escapeTextCharacter)}"`);
    at += 1 + length;
  }
  return strings;
}

function escapeTextCharacter(char: string): string {
  return char === '"' || char === "\\" ? `\\${char}` : `\\${String(char.charCodeAt(0)).padStart(3, "0")}`;
}

const DATA_BYTES: ReadonlyMap<number, number> = new Map([
  [RecordType.A, 4],
  [RecordType.AAAA, 16],
]);

export interface DecodedRecord {
  readonly record: ResourceRecord;
  readonly next: number;
}

/** Reads the record at `start`; its data is copied out of `bytes`. */
export function decodeRecord(bytes: Uint8Array, start: number): Result<DecodedRecord, DecodeError> {
  const owner = decodeName(bytes, start);
  if (!owner.ok) return owner;
  const at = owner.value.next;
  if (at + 10 > bytes.length) return fail({ at, why: "record runs past the end" });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getUint16(at);
  const next = at + 10 + view.getUint16(at + 8);
  if (next > bytes.length) return fail({ at, why: "record data runs past the end" });
  const layout = dataLayout(type);
  let cursor = at + 10 + layout.fixedBytes;
  if (cursor > next) return fail({ at, why: "record data is too short for its type" });
  const fixed = bytes.slice(at + 10, cursor);
  const names: DnsName[] = [];
  for (let i = 0; i < layout.names; i++) {
    const name = decodeName(bytes, cursor);
    if (!name.ok) return name;
    cursor = name.value.next;
    if (cursor > next) return fail({ at: cursor, why: "name runs past its record" });
    names.push(name.value.name);
  }
  const rest = bytes.slice(cursor, next);
  const wanted = type === RecordType.SOA ? 20 : layout.names > 0 ? 0 : (DATA_BYTES.get(type) ?? rest.length);
  if (rest.length !== wanted) return fail({ at: cursor, why: "record data has a wrong length for its type" });
  // RFC 2181 section 8: a TTL with the top bit set is zero.
  const ttl = view.getInt32(at + 4);
  const value = { name: owner.value.name, type, class: view.getUint16(at + 2), ttl: Math.max(0, ttl) };
  return ok({ record: { ...value, fixed, names, rest }, next });
}
