import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./report/result.ts";
import { formatSummary } from "./report/summary.ts";

/** What was to be reached in benchmarks that were run, and what was: test/bench/summary.ts NAME… */
const FOLDER = join(import.meta.dir, "../../dist/bench");

const files = process.argv.slice(2).map((name) => join(FOLDER, `${name}.json`));
const results = files.filter((file) => existsSync(file)).map((file): Result => JSON.parse(readFileSync(file, "utf8")));
console.log(`\nWhat was to be reached:\n${formatSummary(results)}\n\nTables as JSON, and plots as SVG: ${FOLDER}`);
