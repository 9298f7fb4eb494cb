import { type Family, type Ip, ipBytes, ipFamily } from "../base/ip.ts";
import { type DecodeError, fail, ok, type Result } from "../base/result.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST } from "./netlink.ts";
import type { NetlinkWriter } from "./netlink-writer.ts";
import {
  addressFamily,
  CHANGE,
  familyOf,
  longPrefix,
  RTM_DELADDR,
  RTM_NEWADDR,
  readIp,
  shortPayload,
} from "./rtnetlink.ts";

/** "host" keeps an address from being chosen as the source of packets that leave the node. */
export type AddressScope = "global" | "link" | "host";

export interface LinkAddress {
  /** Of its link. */
  readonly linkIndex: number;
  readonly address: Ip;
  readonly prefixLength: number;
  readonly scope: AddressScope;
  /** IPv4 only; the kernel's default is the link's name. */
  readonly label?: string | undefined;
  /** IPv4 only, of an address to add: the one that all on the link listen to. */
  readonly broadcast?: Ip | undefined;
}

const RTM_GETADDR = 22;

/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 index. */
const IFADDRMSG_LENGTH = 8;

/** linux/if_addr.h */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
/** No duplicate address detection: usable at once, also on a link without a carrier. */
const IFA_F_NODAD = 0x02;

/** linux/rtnetlink.h, enum rt_scope_t. */
const SCOPES: Readonly<Record<AddressScope, number>> = { global: 0, link: 253, host: 254 };

export function encodeAddressDump(writer: NetlinkWriter, sequence: number, family: Family): void {
  writer.beginMessage(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence);
  writer.octets(addressFamily(family), 0, 0, 0);
  writer.u32(0);
  writer.endMessage();
}

export function encodeAddressAdd(writer: NetlinkWriter, sequence: number, address: LinkAddress): void {
  writer.beginMessage(RTM_NEWADDR, CHANGE | NLM_F_CREATE | NLM_F_EXCL, sequence);
  body(writer, address, ipFamily(address.address) === 6 ? IFA_F_NODAD : 0);
}

export function encodeAddressDelete(writer: NetlinkWriter, sequence: number, address: LinkAddress): void {
  writer.beginMessage(RTM_DELADDR, CHANGE, sequence);
  body(writer, address, 0);
}

/** @param message RTM_NEWADDR or RTM_DELADDR; addresses of other families are undefined */
export function decodeAddress({ payload }: NetlinkMessage): Result<LinkAddress | undefined, DecodeError> {
  if (payload.length < IFADDRMSG_LENGTH) return shortPayload(payload, IFADDRMSG_LENGTH);
  const [familyNumber = 0, prefixLength = 0, , scope = 0] = payload;
  const family = familyOf(familyNumber);
  if (family === undefined) return ok(undefined);
  const tooLong = longPrefix(family, prefixLength);
  if (tooLong !== undefined) return tooLong;
  const attributes = new AttributeReader(payload, IFADDRMSG_LENGTH);
  let local: Ip | undefined;
  let peer: Ip | undefined;
  let label: string | undefined;
  while (attributes.next()) {
    if (attributes.type === IFA_LOCAL) local = readIp(attributes, family);
    else if (attributes.type === IFA_ADDRESS) peer = readIp(attributes, family);
    else if (attributes.type === IFA_LABEL) label = attributes.text();
  }
  if (attributes.fault !== undefined) return fail(attributes.fault);
  // On a point-to-point link IFA_ADDRESS is the other end; IPv6 leaves IFA_LOCAL out where there is none.
  const address = local ?? peer;
  if (address === undefined) return ok(undefined);
  return ok({
    linkIndex: new DataView(payload.buffer, payload.byteOffset).getUint32(4, true),
    address,
    prefixLength,
    scope: scopeName(scope),
    label,
  });
}

function body(writer: NetlinkWriter, address: LinkAddress, flags: number): void {
  const bytes = ipBytes(address.address);
  writer.octets(addressFamily(ipFamily(address.address)), address.prefixLength, flags, SCOPES[address.scope]);
  writer.u32(address.linkIndex);
  writer.attrBytes(IFA_LOCAL, bytes);
  writer.attrBytes(IFA_ADDRESS, bytes);
  if (address.broadcast !== undefined) writer.attrBytes(IFA_BROADCAST, ipBytes(address.broadcast));
  if (address.label !== undefined) writer.attrText(IFA_LABEL, address.label);
  writer.endMessage();
}

function scopeName(scope: number): AddressScope {
  if (scope === SCOPES.host) return "host";
  return scope === SCOPES.link ? "link" : "global";
}
