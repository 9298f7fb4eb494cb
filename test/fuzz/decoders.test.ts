import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { effort } from "../support/effort.ts";
import { readCorpus } from "./corpus.ts";
import { type FuzzResult, startJobs } from "./watched-run.ts";

const CASES = effort(1_000_000, 10_000_000);
const SEED = 20_261_121;
/** The runs wait for one another, and for processors that others leave; one that loops or crashes is found by itself. */
const LIMIT_MS = effort(35 * 60_000, 3 * 3_600_000);
/** Mutation after which nearly everything ends alike would prove little. */
const LARGEST_SHARE = 0.97;

const TARGETS = [...new Bun.Glob("*.ts").scanSync(join(import.meta.dir, "targets"))]
  .map((file) => basename(file, ".ts"))
  .sort();

describe(`${CASES.toLocaleString("en")} cases, seed ${SEED}`, () => {
  let results: ReadonlyMap<string, FuzzResult>;
  beforeAll(() => {
    const jobs = TARGETS.map((target) => ({ target, cases: CASES, seed: SEED }));
    results = startJobs(jobs, Math.min(2, cpus().length));
  });
  afterAll(async () => {
    await Promise.allSettled(results.values());
  });

  test.each(TARGETS)(
    "%s keeps its contract",
    async (target) => {
      const outcomes = await results.get(target);
      const counts = Object.values(outcomes ?? {});
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(CASES);
      expect(Math.max(...counts)).toBeLessThan(LARGEST_SHARE * CASES);
      expect(readCorpus(target).length).toBeGreaterThan(0);
      console.log(`${target}: ${CASES} cases, ${counts.length} outcomes`);
    },
    LIMIT_MS,
  );
});
