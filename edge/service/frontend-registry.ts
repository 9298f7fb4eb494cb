import type { ObjectKey } from "../../src/network/service.ts";
import { type Frontend, frontendId } from "./frontend.ts";

/** A frontend that a service wanted and another one, older or first by key, has. */
export interface FrontendConflict {
  readonly frontend: Frontend;
  readonly loser: ObjectKey;
  readonly winner: ObjectKey;
}

/** Services with all frontends that are theirs. */
export type OwnedFrontends = Map<ObjectKey, readonly Frontend[]>;

interface Claimant {
  readonly service: ObjectKey;
  readonly created: string;
  readonly frontends: readonly Frontend[];
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
   * @param changes to add to
   * @returns `changes` with the services whose owned frontends may have changed, each with all that it owns now
   */
  update(
    service: ObjectKey,
    created: string,
    frontends: readonly Frontend[],
    changes: OwnedFrontends = new Map(),
  ): OwnedFrontends {
    const rivals: Claimant[] = [];
    const before = this.#claimants.get(service);
    if (before !== undefined) {
      for (const frontend of before.frontends) this.#release(frontendId(frontend), before, rivals);
      this.#claimants.delete(service);
    }
    if (frontends.length > 0) {
      const claimant = { service, created, frontends };
      this.#claimants.set(service, claimant);
      for (const frontend of frontends) this.#claim(frontendId(frontend), claimant, rivals);
    }
    changes.set(service, this.owned(service));
    for (const rival of rivals) changes.set(rival.service, this.owned(rival.service));
    return changes;
  }

  owned(service: ObjectKey): readonly Frontend[] {
    const claimant = this.#claimants.get(service);
    if (claimant === undefined) return [];
    const { frontends } = claimant;
    return this.#contested.size === 0 ? frontends : frontends.filter((f) => this.#owns(claimant, frontendId(f)));
  }

  /** Every service with all that it owns. */
  all(): OwnedFrontends {
    return new Map(Array.from(this.#claimants.keys(), (key) => [key, this.owned(key)]));
  }

  conflicts(): readonly FrontendConflict[] {
    const conflicts: FrontendConflict[] = [];
    for (const id of this.#contested) {
      const [winner, ...losers] = this.#holders(id);
      for (const loser of losers) {
        const frontend = loser.frontends.find((f) => frontendId(f) === id);
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

  #claim(id: string, claimant: Claimant, rivals: Claimant[]): void {
    const before = this.#holders(id);
    if (before.length === 0) {
      this.#owners.set(id, claimant);
      return;
    }
    rivals.push(...before);
    this.#owners.set(id, [...before, claimant].sort(compareClaimants));
    this.#contested.add(id);
  }

  #release(id: string, claimant: Claimant, rivals: Claimant[]): void {
    if (this.#owners.get(id) === claimant) {
      this.#owners.delete(id);
      return;
    }
    const rest = this.#holders(id).filter((c) => c !== claimant);
    rivals.push(...rest);
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
