import type { Condition } from "../../src/base/health.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import type { CharonState } from "../../src/strongswan/tunnel-state.ts";

export const TUNNEL_CONDITIONS = ["CHARON_ABSENT", "CHARON_SILENT", "CHARON_OLD", "TUNNELS_DOWN"] as const;

export type TunnelCondition = Omit<Condition, "since"> & { readonly code: (typeof TUNNEL_CONDITIONS)[number] };

/** The oldest that is tested, Debian 12's; before it lie known holes (CVE-2022-40617, CVE-2023-26463). */
const CHARON_FLOOR = [5, 9, 8];
/** Names in one sentence; the command shows all. */
const NAMES_SHOWN = 3;

/** What is wrong with tunnels, all of them together: which, and why the first. */
/** Without charon no tunnel has a reason of its own. */
export function planTunnelConditions(
  charon: CharonState,
  tunnels: readonly TunnelReport[],
): readonly TunnelCondition[] {
  if (tunnels.length === 0) return [];
  if (charon.phase !== "connected") return [charonAway(charon)];
  return [...charonOld(charon), ...tunnelsDown(tunnels)];
}

function charonAway({ phase, failure }: CharonState): TunnelCondition {
  const why = failure === undefined ? "" : `: ${failure}`;
  const [code, what] =
    phase === "silent" ? (["CHARON_SILENT", "does not answer"] as const) : (["CHARON_ABSENT", "is not there"] as const);
  return {
    code,
    component: "tunnels",
    severity: "degraded",
    message: `Cannot keep tunnels as charon ${what}${why}`,
    hint: "Install strongSwan (Debian: charon-systemd), and see systemctl status selvedge-charon. Tunnels that the kernel has go on meanwhile.",
  };
}

function charonOld({ version }: CharonState): readonly TunnelCondition[] {
  if (version === undefined || isAtLeast(version, CHARON_FLOOR)) return [];
  return [
    {
      code: "CHARON_OLD",
      component: "tunnels",
      severity: "degraded",
      message: `Cannot count on charon as it is older than ${CHARON_FLOOR.join(".")}: current value is ${version}`,
      hint: "Upgrade strongSwan: older ones have known holes, and are not tested with this program.",
    },
  ];
}

/** "5.9.8", "6.0.0dr1"; what is no such version is newer than we know. */
function isAtLeast(version: string, floor: readonly number[]): boolean {
  const parts = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version)?.slice(1);
  if (parts === undefined) return true;
  for (const [i, least] of floor.entries()) {
    const part = Number(parts[i] ?? 0);
    if (part !== least) return part > least;
  }
  return true;
}

function tunnelsDown(tunnels: readonly TunnelReport[]): readonly TunnelCondition[] {
  const down = tunnels.filter(({ state }) => state !== "up");
  const first = down.find(({ type }) => type === "Connector") ?? down[0];
  if (first === undefined) return [];
  const names = down.slice(0, NAMES_SHOWN).map(({ peer }) => peer);
  const more = down.length > names.length ? " and others" : "";
  // A node at another site may be switched off; without a connector, or without anybody, this one is cut off.
  const alone = first.type === "Connector" || down.length === tunnels.length;
  return [
    {
      code: "TUNNELS_DOWN",
      component: "tunnels",
      severity: alone ? "degraded" : "info",
      message: `Cannot reach ${down.length} of ${tunnels.length} peers (${names.join(", ")}${more}): ${first.trouble?.message ?? first.state}`,
      hint: `${first.trouble?.hint ?? ""} selvedge tunnels shows them all.`.trim(),
    },
  ];
}
