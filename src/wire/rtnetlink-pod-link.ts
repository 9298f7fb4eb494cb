import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_EXCL } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import { CHANGE, RTM_NEWLINK } from "./rtnetlink.ts";
import { decodeLink, type Link } from "./rtnetlink-link.ts";

/** A link with what tells one pod's from another's. */
export interface PodLink extends Link {
  /** Six bytes; empty for a link without one. */
  readonly hardwareAddress: Uint8Array;
  /** What an administrator or program wrote on it. */
  readonly alias: string | undefined;
  /** Of a veth: the index of its other end, in that one's network namespace. */
  readonly peerIndex: number | undefined;
  /** Of a port of a bridge: whether what comes from it may leave through it again. */
  readonly hairpin: boolean | undefined;
}

export interface BridgeSpec {
  readonly name: string;
  /** 0 leaves it to the kernel. */
  readonly mtu: number;
  readonly hardwareAddress: Uint8Array;
}

export interface VethSpec {
  readonly name: string;
  /** 0 leaves it to the kernel. */
  readonly mtu: number;
  /** The index of the bridge that it becomes a port of. */
  readonly master: number;
  readonly peer: {
    readonly name: string;
    /** A descriptor of the network namespace that it is made in. */
    readonly namespace: number;
  };
}

export interface LinkChange {
  readonly up?: true;
  readonly mtu?: number;
  readonly hardwareAddress?: Uint8Array;
  readonly alias?: string;
}

const RTM_SETLINK = 19;

const AF_UNSPEC = 0;
const AF_BRIDGE = 7;

/** struct ifinfomsg: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change. */
const IFINFOMSG_LENGTH = 16;
const IFF_UP = 0x1;

/** linux/if_link.h */
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;

/** A bridge that is up. Its address is its own from the start: another would change with every port that comes. */
export function encodeBridgeCreate(writer: NetlinkWriter, sequence: number, bridge: BridgeSpec): void {
  writer.beginMessage(RTM_NEWLINK, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  header(writer, AF_UNSPEC, 0, IFF_UP);
  writer.attrText(IFLA_IFNAME, bridge.name);
  writer.attrBytes(IFLA_ADDRESS, bridge.hardwareAddress);
  if (bridge.mtu !== 0) writer.attrU32(IFLA_MTU, bridge.mtu);
  const info = writer.beginNested(IFLA_LINKINFO);
  writer.attrText(IFLA_INFO_KIND, "bridge");
  writer.endNested(info);
  writer.endMessage();
}

/** Both ends at once, in their network namespaces: up here, down there until it is configured. */
export function encodeVethCreate(writer: NetlinkWriter, sequence: number, veth: VethSpec): void {
  writer.beginMessage(RTM_NEWLINK, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  header(writer, AF_UNSPEC, 0, IFF_UP);
  writer.attrText(IFLA_IFNAME, veth.name);
  writer.attrU32(IFLA_MASTER, veth.master);
  if (veth.mtu !== 0) writer.attrU32(IFLA_MTU, veth.mtu);
  const info = writer.beginNested(IFLA_LINKINFO);
  writer.attrText(IFLA_INFO_KIND, "veth");
  const data = writer.beginNested(IFLA_INFO_DATA);
  const peer = writer.beginNested(VETH_INFO_PEER);
  header(writer, AF_UNSPEC, 0, 0);
  writer.attrText(IFLA_IFNAME, veth.peer.name);
  if (veth.mtu !== 0) writer.attrU32(IFLA_MTU, veth.mtu);
  writer.attrU32(IFLA_NET_NS_FD, veth.peer.namespace);
  writer.endNested(peer);
  writer.endNested(data);
  writer.endNested(info);
  writer.endMessage();
}

/** A link of a kind that needs to be told nothing, such as "ifb", already up. */
export function encodeSimpleLinkCreate(
  writer: NetlinkWriter,
  sequence: number,
  link: { readonly name: string; readonly kind: "ifb"; readonly mtu: number },
): void {
  writer.beginMessage(RTM_NEWLINK, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  header(writer, AF_UNSPEC, 0, IFF_UP);
  writer.attrText(IFLA_IFNAME, link.name);
  if (link.mtu !== 0) writer.attrU32(IFLA_MTU, link.mtu);
  const info = writer.beginNested(IFLA_LINKINFO);
  writer.attrText(IFLA_INFO_KIND, link.kind);
  writer.endNested(info);
  writer.endMessage();
}

export function encodeLinkChange(writer: NetlinkWriter, sequence: number, index: number, change: LinkChange): void {
  writer.beginMessage(RTM_NEWLINK, CHANGE, sequence);
  header(writer, AF_UNSPEC, index, change.up === true ? IFF_UP : 0);
  if (change.hardwareAddress !== undefined) writer.attrBytes(IFLA_ADDRESS, change.hardwareAddress);
  if (change.mtu !== undefined) writer.attrU32(IFLA_MTU, change.mtu);
  if (change.alias !== undefined) writer.attrText(IFLA_IFALIAS, change.alias);
  writer.endMessage();
}

/** @param index of a port of a bridge */
export function encodeHairpin(writer: NetlinkWriter, sequence: number, index: number, on: boolean): void {
  writer.beginMessage(RTM_SETLINK, CHANGE, sequence);
  header(writer, AF_BRIDGE, index, 0);
  const port = writer.beginNested(IFLA_PROTINFO);
  writer.attrU8(IFLA_BRPORT_MODE, on ? 1 : 0);
  writer.endNested(port);
  writer.endMessage();
}

/** @param message RTM_NEWLINK */
export function decodePodLink(message: NetlinkMessage): Result<PodLink, DecodeError> {
  const link = decodeLink(message);
  if (!link.ok) return link;
  let hardwareAddress: Uint8Array = new Uint8Array();
  let alias: string | undefined;
  let peerIndex: number | undefined;
  let hairpin: boolean | undefined;
  const attributes = new AttributeReader(message.payload, IFINFOMSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type === IFLA_ADDRESS) hardwareAddress = attributes.bytes().slice();
    else if (attributes.type === IFLA_IFALIAS) alias = attributes.text();
    else if (attributes.type === IFLA_LINK && link.value.kind === "veth") peerIndex = attributes.u32();
    else if (attributes.type === IFLA_LINKINFO) hairpin = portHairpin(attributes.nested());
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  return ok({ ...link.value, hardwareAddress, alias, peerIndex, hairpin });
}

function portHairpin(info: AttributeReader): boolean | undefined {
  let master: string | undefined;
  let hairpin: boolean | undefined;
  while (info.next()) {
    // The kind comes before its data.
    if (info.type === IFLA_INFO_SLAVE_KIND) master = info.text();
    else if (info.type === IFLA_INFO_SLAVE_DATA && master === "bridge") {
      const port = info.nested();
      while (port.next()) if (port.type === IFLA_BRPORT_MODE) hairpin = port.u8() !== 0;
    }
  }
  return hairpin;
}

/** @param turnOn flags that are set; the others stay as they are */
function header(writer: NetlinkWriter, family: number, index: number, turnOn: number): void {
  writer.octets(family, 0, 0, 0);
  writer.u32(index);
  writer.u32(turnOn);
  writer.u32(turnOn);
}
