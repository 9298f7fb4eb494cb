export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * What a test run did, by its JUnit report and its exit status. The report misses what happens outside of a test (a file
 * that does not load, a runner that crashes), the status tells; and a run without a test has shown nothing.
 *
 * @param report the JUnit file's text, undefined where there is none
 */
export function readTestRun(report: string | undefined, exitCode: number): Counts {
  const root = report === undefined ? undefined : /<testsuites\b[^>]*>/.exec(report)?.[0];
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(root ?? "")?.[1] ?? 0);
  const [tests, failures, skipped] = [count("tests"), count("failures"), count("skipped")];
  const unseen = failures === 0 && (exitCode !== 0 || tests === 0) ? 1 : 0;
  return { passed: tests - failures - skipped, failed: failures + unseen, skipped };
}

export interface TierResult {
  readonly name: string;
  readonly counts: Counts;
  readonly seconds: number;
  /** Why it did not run. */
  readonly leftOut?: string;
}

/** One line a tier, aligned. */
export function formatTable(results: readonly TierResult[]): string {
  const heading = ["tier", "passed", "failed", "skipped", "seconds"];
  const rows = results.map(({ name, counts, seconds, leftOut }) =>
    leftOut === undefined
      ? [name, String(counts.passed), String(counts.failed), String(counts.skipped), seconds.toFixed(1)]
      : [name, `left out: ${leftOut}`],
  );
  const widths = heading.map((title, column) =>
    Math.max(
      title.length,
      ...rows.filter((row) => row.length === heading.length).map((row) => row[column]?.length ?? 0),
    ),
  );
  const nameWidth = Math.max(...[heading, ...rows].map((row) => row[0]?.length ?? 0));
  return [heading, ...rows]
    .map(([name = "", ...cells]) =>
      [name.padEnd(nameWidth), ...cells.map((cell, i) => cell.padStart(widths[i + 1] ?? 0))].join("  "),
    )
    .join("\n");
}
