import { CLASS_IN, Flag, HEADER_BYTES, OPCODE_QUERY, PLAIN_UDP_BYTES, Rcode, RecordType } from "./dns.ts";
import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from "./dns-name.ts";

/** What to do with a query before anybody looks at its name. */
export const Verdict = {
  /** Its name, type and EDNS were read. */
  Ask: 0,
  /** Say nothing: it is a response, or too short to answer. */
  Drop: 1,
  /** Answer with `rcode`. */
  Refuse: 2,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** More additional records than a query has reason for: OPT, and TSIG or SIG(0). */
const MAX_ADDITIONALS = 4;

/**
 * Reads queries into itself, one after another, without allocating: the fields speak of the last `read`.
 * Hostile bytes end in a verdict; the question is echoed only if it was whole (`questionEnd` > 0).
 */
export class QueryReader {
  id = 0;
  flags = 0;
  rcode: number = Rcode.NoError;
  type = 0;
  /** The name's wire form in lower case: `nameBytes` bytes. */
  readonly name = new Uint8Array(MAX_NAME_BYTES);
  nameBytes = 0;
  /** Of `name` and `type`, mixed with the seed: 32 bits, signed. */
  hash = 0;
  /** The offset after the question's class, 0 when there is none to echo. */
  questionEnd = 0;
  hasEdns = false;
  /** What the client takes over UDP, at least 512. */
  udpBytes = PLAIN_UDP_BYTES;
  dnssecOk = false;

  readonly #seed: number;

  /** @param seed unpredictable, so that nobody can choose names that share a hash */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  read(packet: Uint8Array): Verdict {
    this.questionEnd = 0;
    this.hasEdns = false;
    this.udpBytes = PLAIN_UDP_BYTES;
    this.dnssecOk = false;
    if (packet.length < HEADER_BYTES) return Verdict.Drop;
    this.id = uint16(packet, 0);
    this.flags = uint16(packet, 2);
    if ((this.flags & Flag.Response) !== 0) return Verdict.Drop;
    if (((this.flags >> 11) & 0xf) !== OPCODE_QUERY) return this.#refuse(Rcode.NotImp);
    const additionals = uint16(packet, 10);
    if (uint16(packet, 4) !== 1 || uint16(packet, 6) !== 0 || uint16(packet, 8) !== 0) {
      return this.#refuse(Rcode.FormErr);
    }
    const after = this.#readName(packet);
    if (after === 0 || after + 4 > packet.length) return this.#refuse(Rcode.FormErr);
    this.type = uint16(packet, after);
    const end = after + 4;
    if (additionals > MAX_ADDITIONALS || !this.#readAdditionals(packet, end, additionals)) {
      return this.#refuse(Rcode.FormErr);
    }
    this.questionEnd = end;
    this.hash = Math.imul(this.hash ^ this.type, 0x01000193);
    if (this.rcode !== Rcode.NoError) return Verdict.Refuse;
    const refusal = refusedType(this.type);
    if (refusal !== Rcode.NoError) return this.#refuse(refusal);
    if (uint16(packet, after + 2) !== CLASS_IN) return this.#refuse(Rcode.Refused);
    return Verdict.Ask;
  }

  #refuse(rcode: number): Verdict {
    this.rcode = rcode;
    return Verdict.Refuse;
  }

  /**
   * Folds the name to lower case (RFC 4343) and hashes it (FNV-1a) on the way. A question has nothing before it that
   * it could point to, so a compressed name is an error.
   *
   * @returns the offset after the name, 0 if it is broken
   */
  #readName(packet: Uint8Array): number {
    const name = this.name;
    let hash = 0x811c9dc5 ^ this.#seed;
    let at = HEADER_BYTES;
    let to = 0;
    for (;;) {
      const length = packet[at] ?? 0xff;
      if (length > MAX_LABEL_BYTES || to + 1 + length > MAX_NAME_BYTES) return 0;
      name[to++] = length;
      hash = Math.imul(hash ^ length, 0x01000193);
      at++;
      if (length === 0) break;
      const end = at + length;
      if (end > packet.length) return 0;
      for (; at < end; at++) {
        let char = packet[at] ?? 0;
        if (char >= 0x41 && char <= 0x5a) char |= 0x20;
        name[to++] = char;
        hash = Math.imul(hash ^ char, 0x01000193);
      }
    }
    this.nameBytes = to;
    this.hash = hash;
    return at;
  }

  /** Looks for OPT (RFC 6891 section 6.1) and steps over anything else. Sets `rcode` to BADVERS or to no error. */
  #readAdditionals(packet: Uint8Array, start: number, count: number): boolean {
    this.rcode = Rcode.NoError;
    let at = start;
    for (let i = 0; i < count; i++) {
      const owner = at;
      at = skipName(packet, at);
      if (at === 0 || at + 10 > packet.length) return false;
      const dataBytes = uint16(packet, at + 8);
      if (at + 10 + dataBytes > packet.length) return false;
      if (uint16(packet, at) === RecordType.OPT) {
        if (this.hasEdns || at !== owner + 1 || !optionsAreWhole(packet, at + 10, dataBytes)) return false;
        this.hasEdns = true;
        this.udpBytes = Math.max(PLAIN_UDP_BYTES, uint16(packet, at + 2));
        this.dnssecOk = ((packet[at + 6] ?? 0) & 0x80) !== 0;
        if (packet[at + 5] !== 0) this.rcode = Rcode.BadVers;
      }
      at += 10 + dataBytes;
    }
    return true;
  }
}

/** Zone transfers are not offered; what is no data type is not asked for (RFC 6895 section 3.1). */
function refusedType(type: number): number {
  switch (type) {
    case RecordType.AXFR:
    case RecordType.IXFR:
      return Rcode.Refused;
    case 0:
    case RecordType.OPT:
      return Rcode.FormErr;
    case RecordType.TKEY:
    case RecordType.TSIG:
    case RecordType.MAILA:
    case RecordType.MAILB:
      return Rcode.NotImp;
    default:
      return Rcode.NoError;
  }
}

function optionsAreWhole(packet: Uint8Array, start: number, dataBytes: number): boolean {
  let at = start;
  const end = start + dataBytes;
  while (at + 4 <= end) at += 4 + uint16(packet, at + 2);
  return at === end;
}

/** @returns the offset after the name where it stands, 0 if it is broken; pointers are not followed */
export function skipName(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const length = bytes[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > MAX_LABEL_BYTES || at - start >= MAX_NAME_BYTES) return 0;
    at += 1 + length;
  }
  return 0;
}

export function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
