import type { Random } from "../base/backoff.ts";
import type { MonotonicTime } from "../base/clock.ts";
import { type Duration, milliseconds, seconds } from "../base/duration.ts";
import type { TunnelConnection } from "../network/tunnel-connection.ts";
import type { IkeAssociation } from "./security-association.ts";
import { later, planTunnel, type TunnelAction, type TunnelPlan } from "./tunnel-plan.ts";

/**
 * IKE_SAs that this end has begun and that are not established. A blocking initiate would hold one of charon's 16 threads,
 * and more than a quarter of them stalled it (measured); ours do not block, and stay below that all the same.
 */
export const HALF_OPEN_MAX = 4;
/** Of those, for tunnels that failed before: peers that are away do not keep the others waiting. */
const HALF_OPEN_AGAIN_MAX = 2;
/** After losing many peers at once the tries are spread, so much for each. */
const SPREAD_EACH = milliseconds(50);
const SPREAD_NARROWEST = milliseconds(100);
const SPREAD_WIDEST = seconds(5);

export interface TunnelsView {
  readonly now: MonotonicTime;
  readonly random: Random;
  /** Connections that charon has as they are wanted. */
  readonly connections: readonly TunnelConnection[];
  readonly associations: ReadonlyMap<string, readonly IkeAssociation[]>;
  /** As planned before, with their actions done: what nothing has happened to since is not planned again. */
  readonly tunnels: ReadonlyMap<string, TunnelPlan>;
}

export interface TunnelsPlan {
  readonly actions: readonly TunnelAction[];
  readonly tunnels: ReadonlyMap<string, TunnelPlan>;
  /** When to plan again where nothing happens; undefined: only then. */
  readonly wakeIn: Duration | undefined;
}

const NO_ASSOCIATIONS: readonly IkeAssociation[] = [];

/**
 * What is to be begun and ended so that every wanted child carries packets, in exactly one SA. Nothing is taken away before
 * its successor carries everything; of SAs that both ends made at once, both ends keep the same one.
 */
export function planTunnels({ now, random, connections, associations, tunnels }: TunnelsView): TunnelsPlan {
  const plans = new Map<string, TunnelPlan>();
  const fresh: TunnelPlan[] = [];
  for (const connection of connections) {
    const { name } = connection;
    const own = associations.get(name) ?? NO_ASSOCIATIONS;
    const before = tunnels.get(name);
    if (before?.connection === connection && before.associations === own && before.until > now) plans.set(name, before);
    else {
      const plan = planTunnel(connection, own, before?.memory, now, random);
      plans.set(name, plan);
      fresh.push(plan);
    }
  }
  const lost = fresh.filter((plan) => plan.isLost);
  const spread = Math.min(SPREAD_WIDEST, Math.max(SPREAD_NARROWEST, lost.length * SPREAD_EACH));
  for (const plan of lost) {
    const nextTry = later(now, spread * random());
    plans.set(plan.connection.name, { ...plan, memory: { ...plan.memory, nextTry } });
  }

  const slots = new Slots(plans.values());
  const actions = fresh.flatMap((plan) => plan.actions);
  // Whoever has failed least goes first, and among equals whoever has waited longest.
  const due = [...plans.values()]
    .filter((plan) => plan.toBegin.length > 0 && plan.memory.nextTry <= now)
    .sort((a, b) => a.memory.failures - b.memory.failures || a.memory.nextTry - b.memory.nextTry);
  for (const plan of due) {
    // A connector is the way to the cloud, and does not come by itself: it waits behind nobody who may be away.
    if (plan.needsSlot && plan.connection.peerBegins && !slots.take(plan)) continue;
    const connection = plan.connection.name;
    const turned = turnTo(plan.memory.address, plan.connection);
    actions.push(
      ...plan.toBegin.map((child) => ({ do: "initiate", connection, child, form: plan.form, turned }) as const),
    );
    // The next plan is made when it is known what came of it.
    plans.set(connection, { ...plan, until: now, memory: { ...plan.memory, trying: { missing: plan.missing } } });
  }

  return {
    actions,
    tunnels: plans,
    wakeIn: wakeIn(now, plans.values()),
  };
}

/** @returns undefined where there is nothing to choose from */
function turnTo(address: number, connection: TunnelConnection): TunnelConnection | undefined {
  const { remoteAddresses } = connection;
  if (remoteAddresses.length < 2) return undefined;
  const at = address % remoteAddresses.length;
  return { ...connection, remoteAddresses: [...remoteAddresses.slice(at), ...remoteAddresses.slice(0, at)] };
}

class Slots {
  #used = 0;
  #usedAgain = 0;

  constructor(plans: Iterable<TunnelPlan>) {
    for (const { halfOpen, memory } of plans) {
      this.#used += halfOpen;
      if (memory.failures > 0) this.#usedAgain += halfOpen;
    }
  }

  take({ memory }: TunnelPlan): boolean {
    const again = memory.failures > 0;
    if (this.#used >= HALF_OPEN_MAX || (again && this.#usedAgain >= HALF_OPEN_AGAIN_MAX)) return false;
    this.#used += 1;
    if (again) this.#usedAgain += 1;
    return true;
  }
}

/** Who waits for a slot gets it when something happens: a try ends. */
function wakeIn(now: MonotonicTime, plans: Iterable<TunnelPlan>): Duration | undefined {
  let first = Number.POSITIVE_INFINITY;
  for (const { until, toBegin, memory } of plans) {
    if (until > now) first = Math.min(first, until);
    if (toBegin.length > 0 && memory.nextTry > now) first = Math.min(first, memory.nextTry);
  }
  return first === Number.POSITIVE_INFINITY ? undefined : milliseconds(first - now);
}
