import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { CHANGE, RTM_DELLINK, RTM_NEWLINK, shortPayload } from "./rtnetlink.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  /** "bridge", "dummy", "veth" …; undefined for hardware and `lo`. */
  readonly kind: string | undefined;
  readonly up: boolean;
  /** Up, and with a carrier where it needs one. */
  readonly running: boolean;
  readonly loopback: boolean;
  readonly multicast: boolean;
  readonly mtu: number;
  /** The index of the bridge or bond that it is a port of. */
  readonly master: number | undefined;
  /** Bridges only: whether bridged IPv4 packets pass netfilter; undefined where the kernel has no br_netfilter. */
  readonly bridgeCallsIptables: boolean | undefined;
}

export type VirtualLinkKind = "dummy" | "bridge";

const RTM_GETLINK = 18;

/** struct ifinfomsg: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change. */
const IFINFOMSG_LENGTH = 16;

/** linux/if.h */
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;
const IFF_MULTICAST = 0x1000;

/** linux/if_link.h */
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BR_NF_CALL_IPTABLES = 36;
/** Leaves the counters out, four fifths of a dump. */
const RTEXT_FILTER_SKIP_STATS = 8;

export function encodeLinkDump(writer: NetlinkWriter, sequence: number): void {
  begin(writer, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0, 0);
  writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  writer.endMessage();
}

/** @param which name or index */
export function encodeLinkGet(writer: NetlinkWriter, sequence: number, which: string | number): void {
  const isIndex = typeof which === "number";
  begin(writer, RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, isIndex ? which : 0, 0);
  if (!isIndex) writer.attrText(IFLA_IFNAME, which);
  writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  writer.endMessage();
}

/** A link of its own kind, already up. */
export function encodeLinkCreate(writer: NetlinkWriter, sequence: number, name: string, kind: VirtualLinkKind): void {
  begin(writer, RTM_NEWLINK, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence, 0, IFF_UP);
  writer.attrText(IFLA_IFNAME, name);
  const info = writer.beginNested(IFLA_LINKINFO);
  writer.attrText(IFLA_INFO_KIND, kind);
  writer.endNested(info);
  writer.endMessage();
}

export function encodeLinkUp(writer: NetlinkWriter, sequence: number, index: number): void {
  begin(writer, RTM_NEWLINK, CHANGE, sequence, index, IFF_UP);
  writer.endMessage();
}

export function encodeLinkDelete(writer: NetlinkWriter, sequence: number, index: number): void {
  begin(writer, RTM_DELLINK, CHANGE, sequence, index, 0);
  writer.endMessage();
}

/** @param message RTM_NEWLINK or RTM_DELLINK */
export function decodeLink({ payload }: NetlinkMessage): Result<Link, DecodeError> {
  if (payload.length < IFINFOMSG_LENGTH) return shortPayload(payload, IFINFOMSG_LENGTH);
  const view = new DataView(payload.buffer, payload.byteOffset);
  const flags = view.getUint32(8, true);
  let name = "";
  let mtu = 0;
  let master: number | undefined;
  let kind: string | undefined;
  let bridgeCallsIptables: boolean | undefined;
  const attributes = new AttributeReader(payload, IFINFOMSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type === IFLA_IFNAME) name = attributes.text();
    else if (attributes.type === IFLA_MTU) mtu = attributes.u32();
    else if (attributes.type === IFLA_MASTER) master = attributes.u32();
    else if (attributes.type === IFLA_LINKINFO) {
      const info = attributes.nested();
      while (info.next()) {
        // The kind comes before its data.
        if (info.type === IFLA_INFO_KIND) [kind, bridgeCallsIptables] = [info.text(), undefined];
        else if (info.type === IFLA_INFO_DATA && kind === "bridge") bridgeCallsIptables = callsIptables(info.nested());
      }
    }
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  return ok({
    index: view.getInt32(4, true),
    name,
    kind,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    multicast: (flags & IFF_MULTICAST) !== 0,
    mtu,
    master,
    bridgeCallsIptables,
  });
}

function callsIptables(bridge: AttributeReader): boolean | undefined {
  while (bridge.next()) if (bridge.type === IFLA_BR_NF_CALL_IPTABLES) return bridge.u8() !== 0;
  return undefined;
}

function begin(
  writer: NetlinkWriter,
  type: number,
  flags: number,
  sequence: number,
  index: number,
  turnOn: number,
): void {
  writer.beginMessage(type, flags, sequence);
  writer.u32(0);
  writer.u32(index);
  writer.u32(turnOn);
  // The mask of the flags that change.
  writer.u32(turnOn);
}
