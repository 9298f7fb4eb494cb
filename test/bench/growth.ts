export interface TimedValue {
  readonly seconds: number;
  readonly value: number;
}

export interface Growth {
  readonly perHour: number;
  /** Standard error of the slope, for residuals that are independent: of real ones the true error is somewhat greater. */
  readonly errorPerHour: number;
}

/** The slope of the straight line with the least squares of distances. NaN of less than three values. */
export function growthOf(values: readonly TimedValue[]): Growth {
  const count = values.length;
  const [meanSeconds, meanValue] = [mean(values.map((one) => one.seconds)), mean(values.map((one) => one.value))];
  const spread = sum(values.map(({ seconds }) => (seconds - meanSeconds) ** 2));
  const slope = sum(values.map(({ seconds, value }) => (seconds - meanSeconds) * (value - meanValue))) / spread;
  const residual = sum(values.map(({ seconds, value }) => (value - meanValue - slope * (seconds - meanSeconds)) ** 2));
  const perHour = (perSecond: number) => (count < 3 ? Number.NaN : perSecond * 3600);
  return { perHour: perHour(slope), errorPerHour: perHour(Math.sqrt(residual / (count - 2) / spread)) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
