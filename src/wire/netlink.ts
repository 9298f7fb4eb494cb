import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";

/** struct nlmsghdr, linux/netlink.h: u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
export const NLMSG_HDRLEN = 16;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
/** The dumped table changed meanwhile: entries may be missing or doubled. */
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** On an acknowledgement: of the request only the header came back. */
const NLM_F_CAPPED = 0x100;
/** On an acknowledgement or the end of a dump: extended attributes follow. */
const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  /** What follows the header: a view into the datagram. */
  readonly payload: Uint8Array;
}

/** The kernel's answer to one request, or the end of a dump. */
export interface NetlinkAck {
  readonly sequence: number;
  /** Positive; 0 means done. */
  readonly errno: number;
  /** The extended acknowledgement: a sentence of the kernel's. */
  readonly text: string | undefined;
  /** Bytes from the start of the request to the attribute that the kernel did not like. */
  readonly offset: number | undefined;
}

/** Netlink aligns everything to four bytes. Not by bit operations: they make a hostile length of 2^31 negative. */
function aligned(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** Every message of one datagram; a length that does not fit refuses the whole datagram. */
export function decodeMessages(datagram: Uint8Array): Result<readonly NetlinkMessage[], DecodeError> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < datagram.length) {
    const left = datagram.length - at;
    if (left < NLMSG_HDRLEN) return fail({ at, why: `a message header has 16 bytes, ${left} are left` });
    const length = view.getUint32(at, true);
    if (length < NLMSG_HDRLEN || length > left) {
      return fail({ at, why: `a message of ${length} bytes does not fit the ${left} that are left` });
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      payload: datagram.subarray(at + NLMSG_HDRLEN, at + length),
    });
    at += aligned(length);
  }
  return ok(messages);
}

/** @param message of type NLMSG_ERROR (struct nlmsgerr) or NLMSG_DONE (an int) */
export function decodeAck(message: NetlinkMessage): Result<NetlinkAck, DecodeError> {
  const { payload, sequence } = message;
  const isError = message.type === NLMSG_ERROR;
  // Some families end a dump without its result: it is a success.
  if (!isError && payload.length === 0) return ok({ sequence, errno: 0, text: undefined, offset: undefined });
  if (payload.length < (isError ? 4 + NLMSG_HDRLEN : 4)) return fail({ at: 0, why: "an acknowledgement is cut short" });
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const errno = Math.max(0, -view.getInt32(0, true));
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return ok({ sequence, errno, text: undefined, offset: undefined });

  const capped = (message.flags & NLM_F_CAPPED) !== 0;
  const echoed = isError ? (capped ? NLMSG_HDRLEN : aligned(view.getUint32(4, true))) : 0;
  const attributes = new AttributeReader(payload, 4 + echoed);
  let text: string | undefined;
  let offset: number | undefined;
  while (attributes.next()) {
    if (attributes.type === NLMSGERR_ATTR_MSG) text = attributes.text();
    else if (attributes.type === NLMSGERR_ATTR_OFFS) offset = attributes.u32();
  }
  return attributes.fault === undefined ? ok({ sequence, errno, text, offset }) : fail(attributes.fault);
}
