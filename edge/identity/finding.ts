import type { Condition } from "../../src/base/health.ts";

/** Something to tell of what this node knows of itself; there is one of each code at a time. */
export interface IdentityFinding extends Omit<Condition, "since" | "component"> {
  readonly code: (typeof IDENTITY_CODES)[number];
}

export const IDENTITY_CODES = [
  "NODE_CONFIG_UNREADABLE",
  "NODE_CONFIG_GONE",
  "PEERS_UNUSABLE",
  "CREDENTIALS_MISSING",
  "CREDENTIALS_UNUSABLE",
  "CERTIFICATE_ENDED",
  "CERTIFICATE_ENDING",
  "CLOCK_BEHIND",
] as const;
