/**
 * Connections of all services together, and attempts that the kernel still makes for callers who went away: two
 * descriptors each, inside the 65,536 that the unit allows.
 */
export const CONNECTIONS_LIMIT = 16_384;
/** Callers of UDP services together: one descriptor and about 2 KiB each. */
export const SESSIONS_LIMIT = 8192;

/** Clients remembered for ClientIP affinity, for each port of a service that has it: about 200 bytes each. */
export const AFFINITY_CLIENTS_LIMIT = 32_768;

/** For names with their upstreams, the source, and whoever asks how the agent is: callers of services get none of these. */
const RESERVED_DESCRIPTORS = 1024;

export interface UserspaceLimits {
  readonly connections: number;
  readonly sessions: number;
}

/**
 * What callers may take of the descriptors that this process has. Where those are few, half of them are kept for the rest
 * of the agent, and of the others a connection's share is four times a UDP caller's.
 */
export function planLimits(descriptors: number): UserspaceLimits {
  const usable = descriptors - Math.min(RESERVED_DESCRIPTORS, descriptors / 2);
  return {
    connections: Math.min(CONNECTIONS_LIMIT, Math.floor((0.8 * usable) / 2)),
    sessions: Math.min(SESSIONS_LIMIT, Math.floor(0.2 * usable)),
  };
}
