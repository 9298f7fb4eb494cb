import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { EDNS_UDP_BYTES, RecordType } from "./dns.ts";
import type { ResourceRecord } from "./dns-record.ts";

/** EDNS(0), RFC 6891: what an OPT record says in its class, TTL and data. */
export interface Edns {
  readonly udpBytes: number;
  readonly extendedRcode: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** An OPT record without options. */
export const OPT_BYTES = 11;
/** An extended error option with its info code and no text (RFC 8914 section 2). */
export const EXTENDED_ERROR_BYTES = 6;
const OPTION_EXTENDED_ERROR = 15;

/** Reads the pseudo-record; `opt.ttl` is taken raw, as bits. */
export function decodeEdns(opt: ResourceRecord, ttlBits: number): Result<Edns, DecodeError> {
  const options: EdnsOption[] = [];
  const view = new DataView(opt.rest.buffer, opt.rest.byteOffset, opt.rest.length);
  for (let at = 0; at < opt.rest.length; ) {
    if (at + 4 > opt.rest.length) return fail({ at, why: "EDNS option runs past its record" });
    const end = at + 4 + view.getUint16(at + 2);
    if (end > opt.rest.length) return fail({ at, why: "EDNS option runs past its record" });
    options.push({ code: view.getUint16(at), data: opt.rest.subarray(at + 4, end) });
    at = end;
  }
  return ok({
    udpBytes: opt.class,
    extendedRcode: ttlBits >>> 24,
    version: (ttlBits >>> 16) & 0xff,
    dnssecOk: (ttlBits & 0x8000) !== 0,
    options,
  });
}

/** Info codes of the extended errors that the options carry. */
export function extendedErrors(options: readonly EdnsOption[]): number[] {
  return options
    .filter((option) => option.code === OPTION_EXTENDED_ERROR && option.data.length >= 2)
    .map((option) => ((option.data[0] ?? 0) << 8) | (option.data[1] ?? 0));
}

/**
 * Writes our OPT record: 11 bytes, and 6 more with an extended error (RFC 8914).
 *
 * @returns the offset after it
 */
export function encodeOpt(
  out: Uint8Array,
  start: number,
  rcode: number,
  dnssecOk: boolean,
  extendedError: number | undefined,
): number {
  out[start] = 0;
  out[start + 1] = 0;
  out[start + 2] = RecordType.OPT;
  out[start + 3] = EDNS_UDP_BYTES >> 8;
  out[start + 4] = EDNS_UDP_BYTES & 0xff;
  out[start + 5] = rcode >> 4;
  out[start + 6] = 0;
  out[start + 7] = dnssecOk ? 0x80 : 0;
  out[start + 8] = 0;
  out[start + 9] = 0;
  if (extendedError === undefined) {
    out[start + 10] = 0;
    return start + OPT_BYTES;
  }
  out[start + 10] = EXTENDED_ERROR_BYTES;
  out[start + 11] = 0;
  out[start + 12] = OPTION_EXTENDED_ERROR;
  out[start + 13] = 0;
  out[start + 14] = 2;
  out[start + 15] = extendedError >> 8;
  out[start + 16] = extendedError & 0xff;
  return start + OPT_BYTES + EXTENDED_ERROR_BYTES;
}
