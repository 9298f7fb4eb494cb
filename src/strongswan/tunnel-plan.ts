import type { Random } from "../base/backoff.ts";
import type { MonotonicTime } from "../base/clock.ts";
import { type Duration, milliseconds, minutes, seconds } from "../base/duration.ts";
import { type TunnelConnection, tunnelChildKind } from "../network/tunnel-connection.ts";
import type { Termination } from "./charon-commands.ts";
import type { ConnectionForm } from "./connection-fields.ts";
import type { ChildAssociation, IkeAssociation } from "./security-association.ts";
import { carriesPackets, childCarriers, hasWantedSelectors, isComing, isUp } from "./tunnel-look.ts";

/** Before the next try after one that failed: doubled each time. */
const RETRY_FIRST = seconds(1);
const RETRY_LATEST = seconds(30);
/**
 * Before a child whose selectors are not the wanted ones is made again: the peer may hear of new ones a moment later, or
 * have reason to narrow them.
 */
const CORRECT_FIRST = seconds(2);
const CORRECT_LATEST = minutes(10);
/** Both ends begin at once when they hear of one another: the one whose identity sorts later leaves the other so long. */
const SECOND_BEGINNER_DELAY = milliseconds(300);
/** The peer, which began the IKE_SA, is still making its children. */
const PEER_MAKES_CHILDREN = seconds(3);
/** Packets that are under way in an SA arrive before it goes: its successor has carried everything for so long. */
const OVERLAP = seconds(2);
/** The end that began an SA takes it away as superfluous; the other one only if that does not happen. */
const OVERLAP_AT_PEER = seconds(30);
/** A replacement that does not come is given up: what is there stays. */
const REPLACE_PATIENCE = seconds(20);
/** What is remembered of a tunnel from one plan to the next. */
export interface TunnelMemory {
  /** Tries that failed, one after the other. */
  readonly failures: number;
  readonly nextTry: MonotonicTime;
  /** Which of the peer's addresses the next try is for, round and round: charon knows no other than the first. */
  readonly address: number;
  /** Children were begun while so many were missing, and how it ends is not known yet. */
  readonly trying: { readonly missing: number } | undefined;
  readonly wasUp: boolean;
  /** Times that children with other selectors than the wanted ones were made again. */
  readonly corrections: number;
  readonly nextCorrection: MonotonicTime;
  /** IKE_SAs whose successor is being made, and when that is given up. */
  readonly replacing: { readonly ids: ReadonlySet<number>; readonly until: MonotonicTime } | undefined;
  /** Since when an IKE_SA, or a CHILD_SA, is superfluous. */
  readonly superfluousIke: ReadonlyMap<number, MonotonicTime>;
  readonly superfluousChildren: ReadonlyMap<number, MonotonicTime>;
  /** Since when there are IKE_SAs of the peer's without all children. */
  readonly peerSince: MonotonicTime | undefined;
}

export type TunnelAction =
  | {
      readonly do: "initiate";
      readonly connection: string;
      readonly child: string;
      /** Where one of that name is there with other selectors; see ConnectionForm. */
      readonly form: ConnectionForm | undefined;
      /** The connection as it is to be loaded before, the address to begin at first; undefined: the peer has no other. */
      readonly turned: TunnelConnection | undefined;
    }
  | { readonly do: "terminate"; readonly connection: string; readonly which: Termination; readonly force: boolean };

/** What one tunnel needs, whatever the others do. It stays true until what it was made of changes, or `until` is past. */
export interface TunnelPlan {
  readonly connection: TunnelConnection;
  readonly associations: readonly IkeAssociation[];
  readonly memory: TunnelMemory;
  /** What ends now. */
  readonly actions: readonly TunnelAction[];
  /** Children to begin, in order, as soon as its time has come. */
  readonly toBegin: readonly string[];
  /** In which form the connection is to be loaded before; undefined: as it is. */
  readonly form: ConnectionForm | undefined;
  /** No IKE_SA is there for them: beginning makes one that is half-open. */
  readonly needsSlot: boolean;
  readonly missing: number;
  readonly halfOpen: number;
  /** It was up, and there is nothing left of it. */
  readonly isLost: boolean;
  readonly until: MonotonicTime;
}

const NEVER = Number.POSITIVE_INFINITY as MonotonicTime;

export function planTunnel(
  connection: TunnelConnection,
  associations: readonly IkeAssociation[],
  before: TunnelMemory | undefined,
  now: MonotonicTime,
  random: Random,
): TunnelPlan {
  let memory = before ?? newMemory(connection, now);
  const begins = connection.remoteAddresses.length > 0;
  const up = associations.filter(isUp);
  const coming = associations.filter(isComing);

  // Replacement: what is replaced counts as absent, until it is given up.
  let replacing = memory.replacing;
  if (replacing !== undefined) {
    const ids = new Set(up.filter((sa) => replacing?.ids.has(sa.uniqueId)).map((sa) => sa.uniqueId));
    replacing = ids.size === 0 || replacing.until <= now ? undefined : { ids, until: replacing.until };
  }
  const fresh = up.filter((sa) => replacing?.ids.has(sa.uniqueId) !== true);
  const missing = connection.children.filter((child) => childCarriers(fresh, child.name).length === 0);
  const wrong = connection.children.filter((child) => {
    const carriers = childCarriers(fresh, child.name);
    return carriers.length > 0 && !carriers.some((carrier) => hasWantedSelectors(carrier, child));
  });
  const busy = coming.length > 0 || fresh.some((sa) => sa.tasks.includes("CHILD_CREATE"));

  // How the last try ended: with nothing left to do, with something more than before, or with nothing.
  const { trying } = memory;
  if (missing.length === 0) memory = { ...memory, trying: undefined, failures: 0 };
  else if (trying !== undefined && !busy) {
    const failures = missing.length < trying.missing ? memory.failures : memory.failures + 1;
    const nextTry = failures === memory.failures ? now : later(now, retryDelay(failures, random));
    const address = fresh.length === 0 ? memory.address + 1 : memory.address;
    memory = { ...memory, trying: undefined, failures, nextTry, address };
  }
  const there = connection.remoteAddresses.indexOf(fresh.find((sa) => sa.initiator)?.remoteHost ?? "");
  if (there >= 0) memory = { ...memory, address: there };

  // Children that the peer is still making are not begun from here, too.
  const peers = fresh.length > 0 && missing.length > 0 && fresh.every((sa) => !sa.initiator);
  const peerSince = peers ? (memory.peerSince ?? now) : undefined;
  const leaveToPeer = peerSince !== undefined && later(peerSince, PEER_MAKES_CHILDREN) > now;

  const isDue = begins && !busy && !leaveToPeer;
  const correct = isDue && wrong.length > 0 && memory.nextCorrection <= now;
  const due = isDue ? [...missing, ...(correct ? wrong : [])].map((child) => child.name) : [];
  // Without an IKE_SA each child would begin one: the first brings it, and the others follow.
  const toBegin = fresh.length === 0 ? due.slice(0, 1) : due;
  const form = correct ? (memory.corrections % 2 === 0 ? "one" : "other") : undefined;
  if (correct) {
    const delay = Math.min(CORRECT_LATEST, CORRECT_FIRST * 2 ** memory.corrections);
    memory = { ...memory, corrections: memory.corrections + 1, nextCorrection: later(now, delay), nextTry: now };
  } else if (wrong.length === 0) memory = { ...memory, corrections: 0, nextCorrection: now };

  const surplus = planSurplus(connection, fresh, replacing?.ids, up, memory, now);
  const isLost = memory.wasUp && fresh.length === 0 && coming.length === 0;
  memory = {
    ...memory,
    replacing,
    peerSince,
    wasUp: fresh.length > 0,
    superfluousIke: surplus.ike,
    superfluousChildren: surplus.children,
  };
  return {
    connection,
    associations,
    memory,
    actions: surplus.actions,
    toBegin,
    form,
    needsSlot: fresh.length === 0,
    missing: missing.length,
    halfOpen: coming.length,
    isLost: isLost && begins,
    until: earliest([
      ...surplus.wakes,
      ...(replacing === undefined ? [] : [replacing.until]),
      ...(peerSince === undefined || !begins ? [] : [later(peerSince, PEER_MAKES_CHILDREN)]),
      ...(begins && wrong.length > 0 ? [memory.nextCorrection] : []),
    ]),
  };
}

interface Surplus {
  readonly actions: readonly TunnelAction[];
  readonly ike: ReadonlyMap<number, MonotonicTime>;
  readonly children: ReadonlyMap<number, MonotonicTime>;
  readonly wakes: readonly MonotonicTime[];
}

/** SAs whose work another one does, and which of them have stood beside it long enough. */
function planSurplus(
  connection: TunnelConnection,
  fresh: readonly IkeAssociation[],
  replaced: ReadonlySet<number> | undefined,
  up: readonly IkeAssociation[],
  memory: TunnelMemory,
  now: MonotonicTime,
): Surplus {
  const actions: TunnelAction[] = [];
  const wakes: MonotonicTime[] = [];
  const ike = new Map<number, MonotonicTime>();
  const children = new Map<number, MonotonicTime>();
  const end = (since: MonotonicTime, overlap: Duration, action: TunnelAction) => {
    const at = later(since, overlap);
    if (at <= now) actions.push(action);
    else wakes.push(at);
  };

  const winner = complete(connection, fresh).sort(byPrecedence)[0];
  if (winner !== undefined) {
    for (const sa of up) {
      if (sa.uniqueId === winner.uniqueId) continue;
      const since = memory.superfluousIke.get(sa.uniqueId) ?? now;
      ike.set(sa.uniqueId, since);
      const ours = sa.initiator || replaced?.has(sa.uniqueId) === true;
      end(since, ours ? OVERLAP : OVERLAP_AT_PEER, endIke(sa, false));
    }
  }
  for (const sa of fresh) {
    if (ike.has(sa.uniqueId)) continue;
    const doubled = connection.children.flatMap((child) => {
      const carriers = childCarriers([sa], child.name);
      const right = carriers.filter((carrier) => hasWantedSelectors(carrier, child));
      const kept = (right.length > 0 ? right : carriers).sort((a, b) => b.uniqueId - a.uniqueId)[0];
      return carriers.filter((carrier) => carrier !== kept);
    });
    for (const carrier of [...doubled, ...formerChildren(connection, sa)]) {
      const since = memory.superfluousChildren.get(carrier.uniqueId) ?? now;
      children.set(carrier.uniqueId, since);
      const which = { childId: carrier.uniqueId };
      const overlap = sa.initiator ? OVERLAP : OVERLAP_AT_PEER;
      end(since, overlap, { do: "terminate", connection: sa.name, which, force: false });
    }
  }
  return { actions, ike, children, wakes };
}

/** Wanted once, as that of a node whose address is another one's now: charon keeps what a connection no longer names. */
function formerChildren({ name, children }: TunnelConnection, sa: IkeAssociation): readonly ChildAssociation[] {
  const wanted = new Set(children.map((child) => child.name));
  return sa.children.filter(
    (child) => carriesPackets(child) && !wanted.has(child.name) && tunnelChildKind(name, child.name) !== undefined,
  );
}

function complete(connection: TunnelConnection, associations: readonly IkeAssociation[]): IkeAssociation[] {
  return associations.filter((sa) =>
    connection.children.every((child) =>
      sa.children.some((carrier) => carrier.name === child.name && carriesPackets(carrier)),
    ),
  );
}

/**
 * Which of two complete IKE_SAs stays: the one that the end with the smaller identity began, which both ends know; and of
 * those of one end the younger, which replaces the other.
 */
function byPrecedence(a: IkeAssociation, b: IkeAssociation): number {
  const byFirst = (sa: IkeAssociation) => (sa.initiator === sa.localId < sa.remoteId ? 0 : 1);
  return byFirst(a) - byFirst(b) || b.uniqueId - a.uniqueId;
}

/** Asks for a successor of what a tunnel has now, at once. Half-open SAs are given up: they may go where nobody is. */
export function planReplacement(
  plan: TunnelPlan,
  associations: readonly IkeAssociation[],
  now: MonotonicTime,
): { readonly tunnel: TunnelPlan; readonly actions: readonly TunnelAction[] } {
  // Charon has one IKE_SA at most with the same connection to the same address: there it is break before make.
  const sameAddress = (sa: IkeAssociation) => plan.connection.remoteAddresses.includes(sa.remoteHost);
  const ended = associations.filter((sa) => isComing(sa) || (isUp(sa) && sameAddress(sa)));
  const kept = associations.filter((sa) => isUp(sa) && !sameAddress(sa));
  const ids = new Set(kept.map((sa) => sa.uniqueId));
  const replacing = ids.size === 0 ? undefined : { ids, until: later(now, REPLACE_PATIENCE) };
  const memory = { ...plan.memory, failures: 0, nextTry: now, trying: undefined, wasUp: false, replacing };
  return { tunnel: { ...plan, memory, until: now }, actions: ended.map((sa) => endIke(sa, true)) };
}

function newMemory(connection: TunnelConnection, now: MonotonicTime): TunnelMemory {
  const second = connection.peerBegins && connection.localId > connection.remoteId;
  return {
    failures: 0,
    nextTry: second ? later(now, SECOND_BEGINNER_DELAY) : now,
    address: 0,
    trying: undefined,
    wasUp: false,
    corrections: 0,
    nextCorrection: now,
    replacing: undefined,
    superfluousIke: new Map(),
    superfluousChildren: new Map(),
    peerSince: undefined,
  };
}

function endIke(sa: IkeAssociation, force: boolean): TunnelAction {
  return { do: "terminate", connection: sa.name, which: { ikeId: sa.uniqueId }, force };
}

/** Equal jitter: at least half of the delay. */
function retryDelay(failures: number, random: Random): number {
  const delay = Math.min(RETRY_LATEST, RETRY_FIRST * 2 ** Math.min(failures - 1, 16));
  return delay / 2 + (delay / 2) * random();
}

function earliest(times: readonly MonotonicTime[]): MonotonicTime {
  return Math.min(NEVER, ...times) as MonotonicTime;
}

export function later(at: MonotonicTime, by: number): MonotonicTime {
  return (at + by) as MonotonicTime;
}
