import type { Family, Ip } from "../base/ip.ts";
import { ipFromBytes } from "../base/ip.ts";
import { type DecodeError, fail, type Result } from "../base/result.ts";
import type { AttributeReader } from "./attribute-reader.ts";
import { NLM_F_ACK, NLM_F_REQUEST } from "./netlink.ts";

/** linux/rtnetlink.h */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;

export const RTNLGRP_LINK = 1;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;

/** Flags of every request that changes something. */
export const CHANGE = NLM_F_REQUEST | NLM_F_ACK;

/** RT_TABLE_UNSPEC in the eight bits of a header: the number is in an attribute. */
export const TABLE_IN_ATTRIBUTE = 0;

/** AF_INET and AF_INET6. */
export function addressFamily(family: Family): number {
  return family === 4 ? 2 : 10;
}

export function familyOf(addressFamilyNumber: number): Family | undefined {
  if (addressFamilyNumber === 2) return 4;
  return addressFamilyNumber === 10 ? 6 : undefined;
}

/** The current attribute as an address; one of another size is a fault: left out, it would make a default route. */
export function readIp(attributes: AttributeReader, family: Family): Ip | undefined {
  const bytes = attributes.exactly(family === 4 ? 4 : 16);
  return bytes.length === 0 ? undefined : ipFromBytes(bytes);
}

/** For a prefix that has more bits than its address. */
export function longPrefix(family: Family, length: number): Result<never, DecodeError> | undefined {
  if (length <= (family === 4 ? 32 : 128)) return undefined;
  return fail({ at: 1, why: `a prefix of IPv${family} has no ${length} bits` });
}

/** For the payload of a family whose fixed header is missing. */
export function shortPayload(payload: Uint8Array, header: number): Result<never, DecodeError> {
  return fail({ at: 0, why: `a header has ${header} bytes, ${payload.length} are there` });
}
