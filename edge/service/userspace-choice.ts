import type { Random } from "../../src/base/backoff.ts";
import type { MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, seconds } from "../../src/base/duration.ts";
import { type Ip, prefixContains } from "../../src/base/ip.ts";
import type { Backend, Frontend } from "./frontend.ts";
import { AFFINITY_CLIENTS_LIMIT } from "./userspace-limits.ts";

/** Who calls, when, and what is remembered of callers. */
export interface Caller {
  readonly address: Ip;
  /** On this node or inside the cluster. */
  readonly internal: boolean;
  readonly now: MonotonicTime;
}

/**
 * The backends for one caller in the order to try them: the one that it is bound to, then the others at random. Empty
 * means refuse.
 *
 * @param most how many are tried
 */
export function chooseBackends(
  frontend: Frontend,
  caller: Caller,
  memory: AffinityMemory,
  random: Random,
  most: number,
): readonly Backend[] {
  const { sourceRanges, affinitySeconds } = frontend;
  if (sourceRanges.length > 0 && !sourceRanges.some((range) => prefixContains(range, caller.address))) return [];
  const backends = caller.internal ? frontend.backends : (frontend.externalBackends ?? frontend.backends);
  const order = shuffled(backends, random, most);
  if (affinitySeconds === undefined) return order;
  const bound = memory.recall(caller, seconds(affinitySeconds));
  const remembered = backends.find((backend) => backendId(backend) === bound);
  if (remembered === undefined) return order;
  return [remembered, ...order.filter((backend) => backend !== remembered)].slice(0, most);
}

/** ClientIP affinity: which backend each client of one service port has. The client that is longest away goes first. */
export class AffinityMemory {
  readonly #clients = new Map<Ip, { readonly backend: string; readonly seen: MonotonicTime }>();

  /** @returns a backend's id */
  recall(caller: Caller, timeout: Duration): string | undefined {
    const entry = this.#clients.get(caller.address);
    return entry === undefined || caller.now - entry.seen >= timeout ? undefined : entry.backend;
  }

  remember(caller: Caller, backend: Backend): void {
    this.#clients.delete(caller.address);
    if (this.#clients.size >= AFFINITY_CLIENTS_LIMIT) {
      const [oldest] = this.#clients.keys();
      if (oldest !== undefined) this.#clients.delete(oldest);
    }
    this.#clients.set(caller.address, { backend: backendId(backend), seen: caller.now });
  }

  get size(): number {
    return this.#clients.size;
  }
}

export function backendId(backend: Backend): string {
  return `${backend.address} ${backend.port}`;
}

/** The first `most` of a random order (Fisher and Yates), without shuffling the rest of a long list. */
function shuffled(backends: readonly Backend[], random: Random, most: number): readonly Backend[] {
  const count = Math.min(most, backends.length);
  if (backends.length === count && count < 2) return backends;
  const moved = new Map<number, Backend>();
  const order: Backend[] = [];
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (backends.length - i));
    const chosen = moved.get(j) ?? backends[j];
    const here = moved.get(i) ?? backends[i];
    if (here !== undefined) moved.set(j, here);
    if (chosen !== undefined) order.push(chosen);
  }
  return order;
}
