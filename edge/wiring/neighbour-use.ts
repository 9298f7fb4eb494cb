import { type Clock, elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { minutes } from "../../src/base/duration.ts";
import type { Health } from "../../src/base/health.ts";

/** Links may change several times a second, and each change is a look: a table that is full is so for longer. */
const LATELY = minutes(1);

/** Tells a table of neighbours that overflows from one that did so once: by looking again and again. */
export class NeighbourUse {
  readonly #health: Pick<Health, "raise" | "clear">;
  readonly #clock: Pick<Clock, "now">;
  #overflows: number | undefined;
  #overflowedAt: MonotonicTime | undefined;

  constructor(health: Pick<Health, "raise" | "clear">, clock: Pick<Clock, "now">) {
    this.#health = health;
    this.#clock = clock;
  }

  /** @param overflows of all the time since the kernel started */
  judge(overflows: number): void {
    const now = this.#clock.now();
    if (overflows > (this.#overflows ?? overflows)) this.#overflowedAt = now;
    this.#overflows = overflows;
    if (this.#overflowedAt === undefined || elapsed(this.#overflowedAt, now) >= LATELY) {
      this.#health.clear("links", "NEIGHBOURS_FULL");
      return;
    }
    this.#health.raise({
      code: "NEIGHBOURS_FULL",
      component: "links",
      severity: "degraded",
      message:
        "Cannot count on reaching new neighbours as the kernel's table of them overflowed within the last minute",
      hint: "Raise net.ipv4.neigh.default.gc_thresh3 (and of ipv6) with sysctl, or look with `ip neigh` for who scans the network.",
    });
  }
}
