import type { Random } from "../../src/base/backoff.ts";
import type { MonotonicTime } from "../../src/base/clock.ts";
import type { TunnelConnection } from "../../src/network/tunnel-connection.ts";
import { planTunnels } from "../../src/strongswan/keeper-plan.ts";
import type { IkeAssociation } from "../../src/strongswan/security-association.ts";
import type { TunnelAction, TunnelPlan } from "../../src/strongswan/tunnel-plan.ts";
import { childAssociation, ikeAssociation, PEER, tunnelConnection } from "./association-objects.ts";

type Side = 0 | 1;
type Kind = "p2p" | "n2p" | "p2n";

/** A number of each end's own, in the order in which it came to know the SAs; 0: it does not yet. */
type Ids = [number, number];

/** A CHILD_SA, or one that an end is making. */
interface Child {
  readonly kind: Kind;
  readonly ids: Ids;
  readonly madeBy: Side;
  readonly doneAt: number;
}

interface Sa {
  readonly ids: Ids;
  readonly initiator: Side;
  readonly doneAt: number;
  children: readonly Child[];
}

/**
 * Two ends of one tunnel, each with the plan under test, and between them what two charons would do: exchanges take their
 * time, an IKE_SA that is there is used again, and what either ends is gone at both.
 */
export class TwoEnds {
  now = 0;
  sas: readonly Sa[] = [];
  /** When an end last did something. */
  lastAction = 0;
  readonly #random: Random;
  readonly #connections: readonly [TunnelConnection, TunnelConnection];
  readonly #tunnels: [ReadonlyMap<string, TunnelPlan>, ReadonlyMap<string, TunnelPlan>] = [new Map(), new Map()];
  readonly #seen: [readonly IkeAssociation[], readonly IkeAssociation[]] = [[], []];
  readonly #lastIds: Ids = [0, 0];

  constructor(random: Random) {
    this.#random = random;
    const one = tunnelConnection();
    this.#connections = [one, { ...one, localId: one.remoteId, remoteId: one.localId }];
  }

  /** One end looks and acts. */
  turn(side: Side): void {
    const { name } = this.#connections[side];
    const seen = this.#seenBy(side);
    // What has not changed is not listed again.
    if (!Bun.deepEquals(seen, this.#seen[side])) this.#seen[side] = seen;
    const associations = new Map([[name, this.#seen[side]]]);
    const now = this.now as MonotonicTime;
    const connections = [this.#connections[side]];
    const plan = planTunnels({ now, random: this.#random, connections, associations, tunnels: this.#tunnels[side] });
    this.#tunnels[side] = plan.tunnels;
    for (const action of plan.actions) this.#act(side, action);
    if (plan.actions.length > 0) this.lastAction = this.now;
  }

  /** An agent starts anew, and knows nothing. */
  forget(side: Side): void {
    this.#tunnels[side] = new Map();
  }

  /** Kinds of children that carry packets now. */
  carried(): ReadonlySet<Kind> {
    const up = this.sas.filter((sa) => sa.doneAt <= this.now);
    return new Set(up.flatMap((sa) => sa.children.filter((child) => child.doneAt <= this.now).map(({ kind }) => kind)));
  }

  #seenBy(side: Side): readonly IkeAssociation[] {
    return this.sas.flatMap((sa) => {
      const isUp = sa.doneAt <= this.now;
      if (!isUp && sa.initiator !== side) return [];
      const { localId, remoteId } = this.#connections[side];
      const making = sa.children.filter((child) => child.madeBy === side && child.doneAt > this.now);
      const children = sa.children
        .filter((child) => child.doneAt <= this.now)
        .map(({ ids, kind }) => childAssociation(this.#idOf(ids, side), kind));
      const seen = { initiator: sa.initiator === side, localId, remoteId, tasks: making.map(() => "CHILD_CREATE") };
      return [
        ikeAssociation(this.#idOf(sa.ids, side), [], { ...seen, state: isUp ? "ESTABLISHED" : "CONNECTING", children }),
      ];
    });
  }

  #act(side: Side, action: TunnelAction): void {
    if (action.do === "terminate") {
      const { which } = action;
      this.sas = "ikeId" in which ? this.sas.filter((sa) => sa.ids[side] !== which.ikeId) : this.sas;
      if (!("childId" in which)) return;
      for (const sa of this.sas) sa.children = sa.children.filter((child) => child.ids[side] !== which.childId);
      return;
    }
    const kind = action.child.slice(PEER.length + 1) as Kind;
    const doneAt = this.now + 5 + 400 * this.#random();
    const child = { kind, ids: this.#newIds(side), madeBy: side, doneAt };
    const usable = this.sas.find((sa) => sa.doneAt <= this.now || sa.initiator === side);
    if (usable === undefined) {
      this.sas = [...this.sas, { ids: this.#newIds(side), initiator: side, doneAt, children: [child] }];
    } else usable.children = [...usable.children, { ...child, doneAt: Math.max(doneAt, usable.doneAt) }];
  }

  #newIds(side: Side): Ids {
    const ids: Ids = [0, 0];
    this.#idOf(ids, side);
    return ids;
  }

  #idOf(ids: Ids, side: Side): number {
    if (ids[side] === 0) ids[side] = ++this.#lastIds[side];
    return ids[side];
  }
}
