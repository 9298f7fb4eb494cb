import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { type Ip, parseIp } from "../../src/base/ip.ts";
import type { Frontend } from "./frontend.ts";
import { AffinityMemory, type Caller } from "./userspace-choice.ts";
import type { UserspaceLimits } from "./userspace-limits.ts";
import type { OpenRelays } from "./userspace-open-relays.ts";

/** What all listeners of the user-space proxy share. */
export interface UserspaceContext {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether an address is this node's or inside the cluster: externalTrafficPolicy is not for such callers. */
  readonly isInternal: (address: Ip) => boolean;
  readonly affinity: AffinityMemories;
  readonly usage: UserspaceUsage;
  readonly limits: UserspaceLimits;
  readonly relays: OpenRelays;
}

/** Counts for metrics and for the bounds. */
export interface UserspaceUsage {
  /** Open now. */
  connections: number;
  /** Connections to backends that the kernel is making, also when nobody waits for them any more. */
  attempts: number;
  /** Since the start: connections and datagrams refused because a bound was reached. */
  refusedByLimit: number;
  /** Since the start: connections ended to make room for others, as nothing had gone through them for long. */
  closedIdle: number;
  /** Since the start: backends that did not take a connection. */
  connectFailures: number;
}

/** A service port has one memory, whichever of its addresses is called. */
export class AffinityMemories {
  readonly #memories = new Map<string, AffinityMemory>();

  of(frontend: Frontend): AffinityMemory {
    const key = memoryKey(frontend);
    let memory = this.#memories.get(key);
    if (memory === undefined) {
      memory = new AffinityMemory();
      this.#memories.set(key, memory);
    }
    return memory;
  }

  /** Forgets everything of service ports that are gone. */
  forget(gone: Iterable<Frontend>, present: Iterable<Frontend>): void {
    const kept = new Set([...present].map(memoryKey));
    for (const frontend of gone) {
      if (!kept.has(memoryKey(frontend))) this.#memories.delete(memoryKey(frontend));
    }
  }
}

/** @param address as a socket shows it; none when the caller has reset its connection before we accepted it */
export function callerOf(context: UserspaceContext, address: string | undefined): Caller | undefined {
  // A link-local address comes with its link: fe80::1%eth0.
  const ip = parseIp(address?.split("%")[0] ?? "");
  if (!ip.ok) return undefined;
  return { address: ip.value, internal: context.isInternal(ip.value), now: context.clock.now() };
}

function memoryKey({ service, portName, protocol, family }: Frontend): string {
  return `${service} ${portName} ${protocol} ${family}`;
}
