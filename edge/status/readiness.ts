import type { Condition } from "../../src/base/health.ts";
import type { ComponentState } from "../../src/network/agent-report.ts";

/** One line of /readyz?verbose. */
export interface ReadinessCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly reason: string;
}

/**
 * A component is ready when it runs and none of its conditions is "failed". Being cut off from the cloud is none:
 * an agent that works from its cache is ready.
 */
export function checkReadiness(
  components: readonly ComponentState[],
  conditions: readonly Condition[],
): readonly ReadinessCheck[] {
  return components
    .filter((component) => component.state !== "disabled")
    .map(({ name, state }) => {
      const failure = conditions.find((c) => c.component === name && c.severity === "failed");
      if (failure !== undefined) return { name, ok: false, reason: `${failure.code}: ${failure.message}` };
      return { name, ok: state === "running", reason: state === "running" ? "" : "it is still starting" };
    });
}

export interface ProbeQuery {
  readonly verbose: boolean;
  readonly exclude: ReadonlySet<string>;
}

export interface ProbeAnswer {
  readonly status: 200 | 503;
  readonly body: string;
}

/** Text as the API server's own /livez and /readyz give it, so that eyes and scripts know it. */
export function answerProbe(probe: string, checks: readonly ReadinessCheck[], query: ProbeQuery): ProbeAnswer {
  const failed = checks.filter((check) => !check.ok && !query.exclude.has(check.name));
  const status = failed.length === 0 ? 200 : 503;
  if (status === 200 && !query.verbose) return { status, body: "ok" };
  const lines = checks.map((check) => {
    if (query.exclude.has(check.name)) return `[+]${check.name} excluded: ok`;
    return check.ok ? `[+]${check.name} ok` : `[-]${check.name} failed: ${check.reason}`;
  });
  const known = new Set(checks.map((check) => check.name));
  const unknown = [...query.exclude].filter((name) => !known.has(name));
  if (unknown.length > 0)
    lines.push(`warn: some health checks cannot be excluded: no matches for "${unknown.join('","')}"`);
  lines.push(`${probe} check ${status === 200 ? "passed" : "failed"}`, "");
  return { status, body: lines.join("\n") };
}
