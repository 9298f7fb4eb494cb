/** A p99 of fewer values is their greatest, and would only look like a statistic. */
const VALUES_FOR_P99 = 100;

export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly p99?: number;
  readonly least: number;
  readonly greatest: number;
}

/**
 * The value below which a share of the values lies, between two neighbours in proportion (R's type 7, as in most tools).
 *
 * @param share from 0 to 1
 * @returns NaN of nothing
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (below === undefined || above === undefined) return Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function summarize(values: readonly number[]): Summary {
  return {
    count: values.length,
    median: median(values),
    ...(values.length >= VALUES_FOR_P99 && { p99: quantile(values, 0.99) }),
    least: quantile(values, 0),
    greatest: quantile(values, 1),
  };
}
