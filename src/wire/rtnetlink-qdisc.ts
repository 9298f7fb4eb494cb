import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { CHANGE, shortPayload } from "./rtnetlink.ts";

/** What goes out of a link, on average and at once. */
export interface TokenBucket {
  readonly linkIndex: number;
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  /** What may wait; the rest is dropped. */
  readonly limitBytes: number;
}

/** A queueing discipline of a link. */
export interface Qdisc {
  readonly linkIndex: number;
  /** "tbf", "ingress", "noqueue" … */
  readonly kind: string;
  /** Of a token bucket. */
  readonly bytesPerSecond: number | undefined;
}

const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;

/** struct tcmsg: u8 family, three of padding; i32 index; u32 handle, parent, info. */
const TCMSG_LENGTH = 20;

/** linux/pkt_sched.h */
const TC_H_ROOT = 0xffffffff;
const TC_H_INGRESS = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
const FIRST_HANDLE = 0x10000;
/** The kernel's unit of time in a token bucket: 64 ns (PSCHED_SHIFT of net/pkt_sched.h). */
const TICK_NANOSECONDS = 64;
const U32 = 0xffffffff;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
/** struct tc_tbf_qopt: two of struct tc_ratespec (12 bytes, the rate last), u32 limit, buffer, mtu. */
const TBF_PARMS_LENGTH = 36;
const TBF_RATE_OFFSET = 8;
const TBF_LIMIT_OFFSET = 24;
const TBF_BUFFER_OFFSET = 28;

/** linux/pkt_cls.h */
const TCA_U32_CLASSID = 1;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
/** linux/tc_act/tc_mirred.h */
const TCA_MIRRED_PARMS = 2;
const TCA_EGRESS_REDIR = 1;
const TC_ACT_STOLEN = 4;
const ETH_P_ALL = 3;

/** As the link's root, in the place of whatever is there by itself. @throws EEXIST when somebody put one there */
export function encodeTokenBucket(writer: NetlinkWriter, sequence: number, bucket: TokenBucket): void {
  const { linkIndex, bytesPerSecond, burstBytes, limitBytes } = bucket;
  writer.beginMessage(RTM_NEWQDISC, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  header(writer, linkIndex, FIRST_HANDLE, TC_H_ROOT, 0);
  writer.attrText(TCA_KIND, "tbf");
  const options = writer.beginNested(TCA_OPTIONS);
  const parameters = new DataView(new ArrayBuffer(TBF_PARMS_LENGTH));
  const ticks = (burstBytes / bytesPerSecond) * (1e9 / TICK_NANOSECONDS);
  parameters.setUint32(TBF_RATE_OFFSET, Math.min(bytesPerSecond, U32), true);
  parameters.setUint32(TBF_LIMIT_OFFSET, Math.min(limitBytes, U32), true);
  parameters.setUint32(TBF_BUFFER_OFFSET, Math.min(Math.ceil(ticks), U32), true);
  writer.attrBytes(TCA_TBF_PARMS, new Uint8Array(parameters.buffer));
  if (bytesPerSecond > U32) writer.attrBytes(TCA_TBF_RATE64, u64(bytesPerSecond));
  // The buffer above is a time, and too long for its 32 bits where a burst takes minutes at the rate.
  writer.attrU32(TCA_TBF_BURST, burstBytes);
  writer.endNested(options);
  writer.endMessage();
}

/** Where filters for what comes in by a link are. */
export function encodeIngress(writer: NetlinkWriter, sequence: number, linkIndex: number): void {
  writer.beginMessage(RTM_NEWQDISC, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  header(writer, linkIndex, INGRESS_HANDLE, TC_H_INGRESS, 0);
  writer.attrText(TCA_KIND, "ingress");
  writer.endMessage();
}

/** Everything that comes in by one link goes out by another, from where it comes back. */
export function encodeRedirect(writer: NetlinkWriter, sequence: number, from: number, to: number): void {
  writer.beginMessage(RTM_NEWTFILTER, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  // The priority above, the protocol below, in network order.
  header(writer, from, 0, INGRESS_HANDLE, (1 << 16) | (ETH_P_ALL << 8));
  writer.attrText(TCA_KIND, "u32");
  const options = writer.beginNested(TCA_OPTIONS);
  writer.attrU32(TCA_U32_CLASSID, FIRST_HANDLE | 1);
  writer.attrBytes(TCA_U32_SEL, matchEverything());
  const actions = writer.beginNested(TCA_U32_ACT);
  const first = writer.beginNested(1);
  writer.attrText(TCA_ACT_KIND, "mirred");
  const mirred = writer.beginNested(TCA_ACT_OPTIONS);
  // struct tc_mirred: tc_gen's index, capab, action, refcnt, bindcnt; then what to do and where.
  const values = Uint32Array.of(0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to);
  writer.attrBytes(TCA_MIRRED_PARMS, new Uint8Array(values.buffer));
  writer.endNested(mirred);
  writer.endNested(first);
  writer.endNested(actions);
  writer.endNested(options);
  writer.endMessage();
}

/** The kernel lists those of all links: the decoder's caller picks. */
export function encodeQdiscDump(writer: NetlinkWriter, sequence: number): void {
  writer.beginMessage(RTM_GETQDISC, NLM_F_REQUEST | NLM_F_DUMP, sequence);
  header(writer, 0, 0, 0, 0);
  writer.endMessage();
}

/** @param message RTM_NEWQDISC */
export function decodeQdisc({ payload }: NetlinkMessage): Result<Qdisc, DecodeError> {
  if (payload.length < TCMSG_LENGTH) return shortPayload(payload, TCMSG_LENGTH);
  const linkIndex = new DataView(payload.buffer, payload.byteOffset).getInt32(4, true);
  let kind = "";
  let bytesPerSecond: number | undefined;
  const attributes = new AttributeReader(payload, TCMSG_LENGTH);
  while (attributes.next()) {
    // The kind comes before its options.
    if (attributes.type === TCA_KIND) [kind, bytesPerSecond] = [attributes.text(), undefined];
    else if (attributes.type === TCA_OPTIONS && kind === "tbf") bytesPerSecond = rateOf(attributes.nested());
  }
  return attributes.fault === undefined ? ok({ linkIndex, kind, bytesPerSecond }) : fail(attributes.fault);
}

function rateOf(options: AttributeReader): number | undefined {
  let rate: number | undefined;
  let large: number | undefined;
  while (options.next()) {
    if (options.type === TCA_TBF_PARMS) {
      const parameters = options.exactly(TBF_PARMS_LENGTH);
      if (parameters.length > 0) rate = view(parameters).getUint32(TBF_RATE_OFFSET, true);
    } else if (options.type === TCA_TBF_RATE64) {
      const value = options.exactly(8);
      if (value.length > 0) large = Number(view(value).getBigUint64(0, true));
    }
  }
  return large ?? rate;
}

/** struct tc_u32_sel with one key whose mask has no bit. */
function matchEverything(): Uint8Array {
  const selector = new Uint8Array(16 + 16);
  selector[0] = TC_U32_TERMINAL;
  selector[2] = 1;
  return selector;
}

function header(writer: NetlinkWriter, index: number, handle: number, parent: number, info: number): void {
  writer.octets(0, 0, 0, 0);
  for (const value of [index, handle, parent, info]) writer.u32(value);
}

function u64(value: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
