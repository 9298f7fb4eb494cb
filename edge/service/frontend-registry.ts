import type { ObjectKey } from "../../src/network/service.ts";
import type { Frontend } from "./frontend.ts";

/** A frontend that a service wanted and another one, older or first by key, has. */
export interface FrontendConflict {
  readonly frontend: Frontend;
  readonly loser: ObjectKey;
  readonly winner: ObjectKey;
}

interface Claimant {
  readonly service: ObjectKey;
  readonly created: string;
  readonly frontends: readonly Frontend[];
  /** Of each frontend, at the same place. */
  readonly ids: readonly string[];
}

/** "10.96.0.10 TCP 53": what only one service can have. */
export function frontendId(frontend: Frontend): string {
  return `${frontend.address ?? `node-port/${frontend.family}`} ${frontend.protocol} ${frontend.port}`;
}

/**
 * Who owns which address, protocol and port. Of several services that claim one, the oldest has it, or the first by
 * key among equals, in whatever order they came; when it goes, the next takes over.
 */
export class FrontendRegistry {
  readonly #claimants = new Map<ObjectKey, Claimant>();
  /** Most frontends have one claimant: only contested ones cost an array. */
  readonly #owners = new Map<string, Claimant | readonly Claimant[]>();
  readonly #contested = new Set<string>();

  /**
   * @param frontends what the service wants now; none when it is gone
   * @returns the services whose owned frontends may have changed, each with all that it owns now
   */
  update(service: ObjectKey, created: string, frontends: readonly Frontend[]): Map<ObjectKey, readonly Frontend[]> {
    const before = this.#claimants.get(service);
    const others = new Set<ObjectKey>();
    if (before !== undefined) {
      for (const id of before.ids) this.#release(id, before, others);
      this.#claimants.delete(service);
    }
    if (frontends.length > 0) {
      const claimant = { service, created, frontends, ids: frontends.map(frontendId) };
      this.#claimants.set(service, claimant);
      for (const id of claimant.ids) this.#claim(id, claimant, others);
    }
    const changed = new Map([[service, this.owned(service)]]);
    for (const other of others) changed.set(other, this.owned(other));
    return changed;
  }

  owned(service: ObjectKey): readonly Frontend[] {
    const claimant = this.#claimants.get(service);
    if (claimant === undefined) return [];
    const { frontends, ids } = claimant;
    return this.#contested.size === 0 ? frontends : frontends.filter((_, i) => this.#owns(claimant, ids[i] ?? ""));
  }

  /** Every service with all that it owns. */
  all(): Map<ObjectKey, readonly Frontend[]> {
    return new Map(Array.from(this.#claimants.keys(), (key) => [key, this.owned(key)]));
  }

  conflicts(): readonly FrontendConflict[] {
    const conflicts: FrontendConflict[] = [];
    for (const id of this.#contested) {
      const [winner, ...losers] = this.#holders(id);
      for (const loser of losers) {
        const frontend = loser.frontends[loser.ids.indexOf(id)];
        if (winner === undefined || frontend === undefined) continue;
        conflicts.push({ frontend, loser: loser.service, winner: winner.service });
      }
    }
    return conflicts;
  }

  #owns(claimant: Claimant, id: string): boolean {
    const holders = this.#owners.get(id);
    return holders === claimant || (Array.isArray(holders) && holders[0] === claimant);
  }

  #holders(id: string): readonly Claimant[] {
    const holders = this.#owners.get(id);
    if (holders === undefined) return [];
    return Array.isArray(holders) ? holders : [holders as Claimant];
  }

  #claim(id: string, claimant: Claimant, others: Set<ObjectKey>): void {
    const before = this.#holders(id);
    if (before.length === 0) {
      this.#owners.set(id, claimant);
      return;
    }
    const holders = [...before, claimant].sort(compareClaimants);
    for (const { service } of holders) others.add(service);
    this.#owners.set(id, holders);
    this.#contested.add(id);
  }

  #release(id: string, claimant: Claimant, others: Set<ObjectKey>): void {
    const rest = this.#holders(id).filter((c) => c !== claimant);
    for (const { service } of rest) others.add(service);
    const [only] = rest;
    if (only === undefined) this.#owners.delete(id);
    else this.#owners.set(id, rest.length === 1 ? only : rest);
    if (rest.length < 2) this.#contested.delete(id);
  }
}

function compareClaimants(a: Claimant, b: Claimant): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.service < b.service ? -1 : a.service > b.service ? 1 : 0;
}
