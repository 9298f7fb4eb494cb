import type { ObjectKey } from "../../src/network/service.ts";
import type { Frontend } from "./frontend.ts";
import { BACKENDS_PER_FRONTEND_LIMIT } from "./plan.ts";

/** Sums over all services, kept as services change: nobody walks ten thousand of them to be told a number. */
export class ServiceTotals {
  readonly #services = new Map<ObjectKey, readonly Frontend[]>();
  readonly #limited = new Set<ObjectKey>();
  frontends = 0;
  endpoints = 0;

  get services(): number {
    return this.#services.size;
  }

  /** @param frontends all that the service owns now */
  set(service: ObjectKey, frontends: readonly Frontend[]): void {
    const before = this.#services.get(service) ?? [];
    this.frontends += frontends.length - before.length;
    this.endpoints += countEndpoints(frontends) - countEndpoints(before);
    if (frontends.length === 0) this.#services.delete(service);
    else this.#services.set(service, frontends);
    const limited = frontends.some(({ backends }) => backends.length === BACKENDS_PER_FRONTEND_LIMIT);
    if (limited) this.#limited.add(service);
    else this.#limited.delete(service);
  }

  /** A service that has as many endpoints as are used at most, and perhaps more. */
  firstLimited(): ObjectKey | undefined {
    return this.#limited.values().next().value;
  }
}

function countEndpoints(frontends: readonly Frontend[]): number {
  let count = 0;
  for (const { backends } of frontends) count += backends.length;
  return count;
}
