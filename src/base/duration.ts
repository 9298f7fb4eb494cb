import { type DecodeError, fail, ok, type Result } from "./result.ts";

/** A span of time in milliseconds; the brand keeps bare numbers out. */
export type Duration = number & { readonly __brand: "Duration" };

export function milliseconds(n: number): Duration {
  return n as Duration;
}

export function seconds(n: number): Duration {
  return (n * 1000) as Duration;
}

export function minutes(n: number): Duration {
  return (n * 60_000) as Duration;
}

export function hours(n: number): Duration {
  return (n * 3_600_000) as Duration;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's notation, as FabEdge's and Kubernetes' flags use it: "90s", "1m30s", "250ms", "1.5h". */
export function parseDuration(text: string): Result<Duration, DecodeError> {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join("") !== text) {
    return fail({ at: text, why: 'a duration is numbers with units, such as "90s" or "1m30s"' });
  }
  let total = 0;
  for (const [, number, unit] of parts) total += Number(number) * (UNITS[unit ?? ""] ?? 0);
  return ok(total as Duration);
}

export function formatDuration(duration: Duration): string {
  if (duration < 1000) return `${Math.round(duration)}ms`;
  const total = Math.round(duration / 1000);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  if (h >= 48) return `${Math.floor(h / 24)}d${h % 24}h`;
  if (h > 0) return `${h}h${m}m`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}
