import type { CheckResult } from "../../src/cli/check-report.ts";
import type { StatusReport } from "../../src/network/agent-report.ts";
import type { Refusal } from "./host-check.ts";

/** What tunnels need of this host. */
export interface TunnelHost {
  /** Whether anything here asks for tunnels: a key, mounted files, or charon itself. */
  readonly wanted: boolean;
  /** Whether charon is installed on this host; in FabEdge's pods it is in a container of its own. */
  readonly installed: boolean;
  /** What charon says when it is asked; the refusal is a sentence. */
  readonly charon: { readonly version: string | undefined; readonly refusal: Refusal };
  /** Why our own charon could not start where none is there: another program has its ports. */
  readonly portTaken: { readonly message: string; readonly hint: string } | undefined;
  /** Whether the kernel does ESP; undefined: it does not say. */
  readonly kernelEsp: boolean | undefined;
  /** Whether charon could do it. */
  readonly userspaceEsp: boolean;
}

export function judgeTunnelHost(host: TunnelHost): readonly CheckResult[] {
  return host.wanted ? [judgeCharon(host), ...judgeEsp(host)] : [];
}

/** Good news of a running agent; what is wrong is among its conditions. */
export function praiseTunnels({ fabric }: StatusReport): readonly CheckResult[] {
  const { name, peers, tunnelsUp, certificateEnds } = fabric;
  if (name === null) return [];
  const good: CheckResult[] = [];
  if (certificateEnds !== null) {
    good.push({ ok: true, component: "identity", message: `this is ${name}, certificate until ${certificateEnds}` });
  }
  if (tunnelsUp === peers && peers > 0) {
    good.push({ ok: true, component: "tunnels", message: `all ${peers} tunnels are up` });
  }
  return good;
}

function judgeCharon({ installed, charon, portTaken }: TunnelHost): CheckResult {
  const { version, refusal } = charon;
  if (refusal === undefined) {
    return {
      ok: true,
      component: "tunnels",
      message: version === undefined ? "charon answers" : `charon ${version} answers`,
    };
  }
  if (portTaken !== undefined) {
    const { message, hint } = portTaken;
    return { ok: false, component: "tunnels", code: "IKE_PORT_TAKEN", severity: "degraded", message, hint };
  }
  if (installed) {
    return {
      ok: false,
      component: "tunnels",
      code: "CHARON_ABSENT",
      severity: "degraded",
      message: refusal,
      hint: "Start it with systemctl start selvedge-charon, or name its socket with --vici-socket.",
    };
  }
  return {
    ok: false,
    component: "tunnels",
    code: "CHARON_MISSING",
    severity: "degraded",
    message: "Cannot make tunnels as charon is not installed",
    hint: "Install strongSwan's charon-systemd and libstrongswan-standard-plugins, and libcharon-extra-plugins where the kernel has no ESP.",
  };
}

function judgeEsp({ kernelEsp, userspaceEsp }: TunnelHost): readonly CheckResult[] {
  if (kernelEsp === undefined) return [];
  if (kernelEsp) return [{ ok: true, component: "tunnels", message: "the kernel does ESP" }];
  return [
    {
      ok: false,
      component: "tunnels",
      code: "ESP_MISSING",
      severity: userspaceEsp ? "info" : "degraded",
      message: `Cannot encrypt in the kernel as it has no ESP: ${userspaceEsp ? "charon does it, which is slower" : "and charon has no plugin for it"}`,
      hint: userspaceEsp
        ? "Load or build esp4, esp6 and xfrm_user for speed."
        : "Load or build esp4, esp6 and xfrm_user, or install libcharon-extra-plugins.",
    },
  ];
}
