import type { Ip } from "../../src/base/ip.ts";
import type { Frontend } from "./frontend.ts";

/** Where this process listens for one frontend. */
export interface ListenerSpec {
  /** What cannot be listened on twice: protocol, address and port. */
  readonly key: string;
  readonly protocol: "TCP" | "UDP";
  /** The service's address, or every address of the family for node ports. */
  readonly hostname: string;
  readonly port: number;
  readonly frontend: Frontend;
}

export interface UserspacePlan {
  /** Keys of listeners to close. */
  readonly close: readonly string[];
  readonly open: readonly ListenerSpec[];
  /** Listeners that stay open, with their frontend as it is now. */
  readonly keep: readonly ListenerSpec[];
}

/** From what the changed services had to what they have; a listener that moves between two of them stays open. */
export function planListeners(before: Iterable<Frontend>, after: Iterable<Frontend>): UserspacePlan {
  const old = new Set<string>();
  for (const frontend of before) {
    const spec = listenerSpec(frontend);
    if (spec !== undefined) old.add(spec.key);
  }
  const open: ListenerSpec[] = [];
  const keep: ListenerSpec[] = [];
  for (const frontend of after) {
    const spec = listenerSpec(frontend);
    if (spec !== undefined) (old.delete(spec.key) ? keep : open).push(spec);
  }
  return { close: [...old], open, keep };
}

/**
 * Undefined for a frontend that nobody answers behind: without a listener the kernel refuses its callers at once. And
 * for SCTP, which Bun has no sockets for.
 */
export function listenerSpec(frontend: Frontend): ListenerSpec | undefined {
  const { protocol, port, family } = frontend;
  if (protocol === "SCTP") return undefined;
  if (frontend.backends.length === 0 && (frontend.externalBackends ?? []).length === 0) return undefined;
  const hostname = frontend.address ?? (family === 4 ? "0.0.0.0" : "::");
  return { key: `${protocol} ${hostname} ${port}`, protocol, hostname, port, frontend };
}

/** The addresses that this node has to hold for the frontends, whether or not anybody answers behind them. */
export function frontendAddresses(frontends: Iterable<Frontend>): ReadonlySet<Ip> {
  const addresses = new Set<Ip>();
  for (const { address } of frontends) if (address !== undefined) addresses.add(address);
  return addresses;
}
