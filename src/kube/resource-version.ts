/**
 * Orders two resourceVersions of one source as numbers, which Kubernetes 1.35 promises and every release so far does.
 *
 * @returns negative, zero or positive; undefined when one of them is not a number
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!/^\d{1,128}$/.test(a) || !/^\d{1,128}$/.test(b)) return undefined;
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}
