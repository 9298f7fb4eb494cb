import { type Ip, type Prefix, parseIp, parsePrefix } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { Node } from "../../network/node.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { NAME_LENGTH_MAX, readName } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";

export const ZONE = "topology.kubernetes.io/zone";

/** A host has a few addresses and two host names. */
export const NODE_ADDRESSES_MAX = 64;
/** One for each family; the API allows no more. */
export const NODE_POD_CIDRS_MAX = 2;

export function parseNode(json: unknown): Result<Node, DecodeError> {
  return parseJson(json, (object) => {
    return {
      name: readName(object),
      zone: object.field("metadata").field("labels").field(ZONE).optionalString(NAME_LENGTH_MAX) || undefined,
      addresses: object.field("status").field("addresses").array(NODE_ADDRESSES_MAX).flatMap(readAddress),
      podCidrs: readPodCidrs(object.field("spec")),
    };
  });
}

export function readPodCidrs(spec: JsonView): readonly Prefix[] {
  const several = spec.field("podCIDRs").array(NODE_POD_CIDRS_MAX);
  const single = spec.field("podCIDR");
  const cidrs = several.length > 0 || single.absent ? several : [single];
  return cidrs.map((cidr) => cidr.parsed(ADDRESS_LENGTH_MAX, parsePrefix));
}

function readAddress(entry: JsonView): readonly Ip[] {
  const type = entry.field("type").string(NAME_LENGTH_MAX);
  // Hostname, InternalDNS and ExternalDNS entries are names.
  if (type !== "InternalIP" && type !== "ExternalIP") return [];
  return [entry.field("address").parsed(ADDRESS_LENGTH_MAX, parseIp)];
}
