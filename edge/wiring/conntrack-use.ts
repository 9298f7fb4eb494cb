import type { Health } from "../../src/base/health.ts";
import type { ConntrackUse } from "../../src/linux/conntrack.ts";

/** Of the table: what is left is gone with the next burst. */
const NEARLY_FULL = 0.95;

/** @param use undefined where the kernel tracks no connections */
export function judgeConntrackUse(use: ConntrackUse | undefined, health: Pick<Health, "raise" | "clear">): void {
  if (use === undefined || use.limit === 0 || use.count < NEARLY_FULL * use.limit) {
    health.clear("service", "CONNTRACK_FULL");
    return;
  }
  health.raise({
    code: "CONNTRACK_FULL",
    component: "service",
    severity: "degraded",
    message: `Cannot count on new connections as the kernel's table of them is full: ${use.count} of ${use.limit} are taken`,
    hint: "Raise net.netfilter.nf_conntrack_max with sysctl, or look with `conntrack -L` for who opens so many.",
  });
}
