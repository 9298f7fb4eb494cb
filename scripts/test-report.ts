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

/** What is told of a run besides its counts. */
export interface RunDetails {
  readonly files: readonly { readonly file: string; readonly seconds: number }[];
  readonly failures: readonly Failure[];
}

export interface Failure {
  /** Where the test stands, as Bun was given it; undefined where something failed outside of every test. */
  readonly file: string | undefined;
  /** As "group > name", or the command that failed. */
  readonly test: string;
}

export function formatFailure({ file, test }: Failure): string {
  return file === undefined ? test : `${file}: ${test}`;
}

/**
 * The counts after the files that failed have run once more.
 *
 * @param second of those files alone
 */
export function countsAfterSecondTry(first: Counts, second: Counts): Counts {
  return { ...first, passed: first.passed + Math.max(0, first.failed - second.failed), failed: second.failed };
}

/** @param report the JUnit file's text, as Bun writes it */
export function readRunDetails(report: string): RunDetails {
  const files: { file: string; seconds: number }[] = [];
  const failures: Failure[] = [];
  for (const [tag] of report.matchAll(/<testsuite\b[^>]*>/g)) {
    const file = attribute(tag, "file");
    // A file's suite has its name; those inside of it are its groups.
    if (file === attribute(tag, "name")) files.push({ file, seconds: Number(attribute(tag, "time")) });
  }
  for (const [, tag = ""] of report.matchAll(/(<testcase\b[^>]*[^/]>)\s*<(?:failure|error)\b/g)) {
    const names = [attribute(tag, "classname"), attribute(tag, "name")].filter((name) => name !== "");
    failures.push({ file: attribute(tag, "file"), test: names.join(" > ") });
  }
  return { files, failures };
}

function attribute(tag: string, name: string): string {
  const text = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

const SLOWEST = 10;

/** Where the time went. */
export function formatSlowest(files: RunDetails["files"]): string {
  const slowest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
  return slowest.map(({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}`).join("\n");
}

export interface TierResult {
  readonly name: string;
  readonly counts: Counts;
  readonly seconds: number;
  readonly details: RunDetails;
  /** What failed first and passed when it ran again. */
  readonly unsteady: readonly Failure[];
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
