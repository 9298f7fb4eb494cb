import { parsePrefix } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import type { IpamBlock } from "../../network/ipam-block.ts";
import { parseJson } from "../json-view.ts";
import { NAME_LENGTH_MAX, readCreated, readName } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";

const HOST_AFFINITY = "host:";

/** Reads Calico's IPAMBlock; undefined when it is being deleted. */
export function parseIpamBlock(json: unknown): Result<IpamBlock | undefined, DecodeError> {
  return parseJson(json, (object) => {
    const spec = object.field("spec");
    if (spec.field("deleted").optionalBoolean() === true) return undefined;
    const affinity = spec.field("affinity").optionalString(HOST_AFFINITY.length + NAME_LENGTH_MAX) ?? "";
    return {
      name: readName(object),
      created: readCreated(object),
      cidr: spec.field("cidr").parsed(ADDRESS_LENGTH_MAX, parsePrefix),
      node: affinity.startsWith(HOST_AFFINITY) ? affinity.slice(HOST_AFFINITY.length) : undefined,
    };
  });
}
