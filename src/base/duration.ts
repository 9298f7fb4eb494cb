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

export function formatDuration(duration: Duration): string {
  if (duration < 1000) return `${Math.round(duration)}ms`;
  const total = Math.round(duration / 1000);
  const [h, m, s] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  if (h >= 48) return `${Math.floor(h / 24)}d${h % 24}h`;
  if (h > 0) return `${h}h${m}m`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}
