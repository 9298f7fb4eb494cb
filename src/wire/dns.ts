/** Numbers of the DNS wire format that more than one file needs (IANA "Domain Name System Parameters"). */

/** RFC 1035 section 4.1.1. */
export const HEADER_BYTES = 12;
/** A length in front of a TCP message has 16 bits (RFC 1035 section 4.2.2). */
export const MAX_MESSAGE_BYTES = 65_535;
/** What a client without EDNS takes over UDP (RFC 1035 section 4.2.1). */
export const PLAIN_UDP_BYTES = 512;
/** Fits one Ethernet frame over IPv6 with room for a tunnel: no fragments (DNS Flag Day 2020). */
export const EDNS_UDP_BYTES = 1232;

export const CLASS_IN = 1;
export const OPCODE_QUERY = 0;

export const RecordType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
} as const;

export const Rcode = {
  NoError: 0,
  FormErr: 1,
  ServFail: 2,
  NxDomain: 3,
  NotImp: 4,
  Refused: 5,
  /** Twelve bits, the upper eight in the OPT record (RFC 6891 section 9). */
  BadVers: 16,
} as const;

/** Bits of the header's second 16-bit word. */
export const Flag = {
  Response: 0x8000,
  Authoritative: 0x0400,
  Truncated: 0x0200,
  RecursionDesired: 0x0100,
  RecursionAvailable: 0x0080,
  AuthenticData: 0x0020,
  CheckingDisabled: 0x0010,
} as const;

/** Info codes of the extended error option (RFC 8914 section 5.2). */
export const ExtendedError = {
  StaleAnswer: 3,
  StaleNxdomain: 19,
  NoReachableAuthority: 22,
  NetworkError: 23,
} as const;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(RecordType).map(([name, type]) => [type, name]));
const RCODE_NAMES: readonly string[] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];

/** "A", or "TYPE65" where the type has no name here (RFC 3597 section 5). */
export function formatRecordType(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** @returns undefined for what is neither a known name nor "TYPE" with a 16-bit number */
export function parseRecordType(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = Object.entries(RecordType).find(([name]) => name === upper);
  if (known !== undefined) return known[1];
  const number = /^TYPE(\d{1,5})$/.exec(upper)?.[1];
  return number !== undefined && Number(number) <= 0xffff ? Number(number) : undefined;
}

export function formatRcode(rcode: number): string {
  return rcode === Rcode.BadVers ? "BADVERS" : (RCODE_NAMES[rcode] ?? `RCODE${rcode}`);
}
