import type { Health } from "../../src/base/health.ts";

/** Tells a table of neighbours that overflows from one that did so once: by looking again and again. */
export class NeighbourUse {
  readonly #health: Pick<Health, "raise" | "clear">;
  #overflows: number | undefined;

  constructor(health: Pick<Health, "raise" | "clear">) {
    this.#health = health;
  }

  /** @param overflows of all the time since the kernel started */
  judge(overflows: number): void {
    const fresh = overflows - (this.#overflows ?? overflows);
    this.#overflows = overflows;
    if (fresh <= 0) {
      this.#health.clear("links", "NEIGHBOURS_FULL");
      return;
    }
    this.#health.raise({
      code: "NEIGHBOURS_FULL",
      component: "links",
      severity: "degraded",
      message: `Cannot count on reaching new neighbours as the kernel's table of them is full: it overflowed ${fresh} times lately`,
      hint: "Raise net.ipv4.neigh.default.gc_thresh3 (and of ipv6) with sysctl, or look with `ip neigh` for who scans the network.",
    });
  }
}
