import type { Condition } from "../../src/base/health.ts";

/** Something to tell of this node's tunnels; there is one of each code at a time. */
export interface TunnelFinding extends Omit<Condition, "since" | "component"> {
  readonly code: (typeof TUNNEL_CODES)[number];
}

export const TUNNEL_CODES = [
  "CHARON_ABSENT",
  "CHARON_OLD",
  "CHARON_SILENT",
  "CLUSTER_CIDR_WIDE",
  "FORWARD_DROPPED",
  "SUBNETS_OVERLAP",
  "TUNNEL_GUARD_FAILED",
  "TUNNEL_PATH_NARROW",
  "TUNNEL_PROBES_OFF",
  "TUNNEL_ROUTES_FAILED",
] as const;
