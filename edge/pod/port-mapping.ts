import { type Ip, parseIp } from "../../src/base/ip.ts";
import type { JsonView } from "../../src/kube/json-view.ts";

export type MappedProtocol = "tcp" | "udp" | "sctp";

/** A hostPort of a container. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: MappedProtocol;
  /** Only on this address of the node, or, where it is 0.0.0.0 or ::, on all of its family; undefined: on all. */
  readonly hostIp: Ip | undefined;
}

/** Of one pod: each is a field of its manifest. */
const MAPPINGS_LIMIT = 1024;

export function readPortMappings(view: JsonView): readonly PortMapping[] {
  return view.list(MAPPINGS_LIMIT, (item) => {
    const hostIp = item.field("hostIP");
    return {
      hostPort: item.field("hostPort").integer(1, 65_535),
      containerPort: item.field("containerPort").integer(1, 65_535),
      protocol: readProtocol(item.field("protocol")),
      hostIp: (hostIp.optionalString(64) ?? "") === "" ? undefined : hostIp.parsed(64, parseIp),
    };
  });
}

function readProtocol(view: JsonView): MappedProtocol {
  const name = (view.optionalString(16) ?? "").toLowerCase();
  if (name === "tcp" || name === "udp" || name === "sctp") return name;
  return view.refuse("not tcp, udp or sctp");
}
