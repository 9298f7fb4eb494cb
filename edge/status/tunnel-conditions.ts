import type { Condition } from "../../src/base/health.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";

/** Names in one sentence; the command shows all. */
const NAMES_SHOWN = 3;

/** Which tunnels are not up, all of them together, and why the first. */
export function planTunnelsDown(tunnels: readonly TunnelReport[]): Omit<Condition, "since"> | undefined {
  const down = tunnels.filter(({ state }) => state !== "up");
  const first = down.find(({ type }) => type === "Connector") ?? down[0];
  if (first === undefined) return undefined;
  const names = down.slice(0, NAMES_SHOWN).map(({ peer }) => peer);
  const more = down.length > names.length ? " and others" : "";
  // A node at another site may be switched off; without a connector, or without anybody, this one is cut off.
  const alone = first.type === "Connector" || down.length === tunnels.length;
  return {
    code: "TUNNELS_DOWN",
    component: "tunnels",
    severity: alone ? "degraded" : "info",
    message: `Cannot reach ${down.length} of ${tunnels.length} peers (${names.join(", ")}${more}): ${first.trouble?.message ?? first.state}`,
    hint: `${first.trouble?.hint ?? ""} selvedge tunnels shows them all.`.trim(),
  };
}
