import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readMachine } from "./machine.ts";
import { renderPlot } from "./plot.ts";
import { evaluate, type Result } from "./result.ts";
import type { Quantity, Series } from "./series.ts";
import { formatTable } from "./table.ts";

const FOLDER = join(import.meta.dir, "../../../dist/bench");

/**
 * Collects what a benchmark measures, and tells it three times: as a table on standard output, as `dist/bench/NAME.json`
 * and as `dist/bench/NAME.svg` (one chart a quantity).
 *
 *     const LOAD: Quantity = {
 *       name: "time to load", unit: "s", better: "less",
 *       goals: [
 *         { kind: "limit", value: 0.15, statistic: "median", size: 10_000 },
 *         { kind: "gain", over: "kube-proxy", factor: 100, statistic: "median", size: 10_000 },
 *       ],
 *     };
 *     const report = new Report("services", "Services: selvedge beside kube-proxy");
 *     report.add(LOAD, "selvedge", [0.071, 0.069, 0.072], { size: 10_000 });
 *     report.add(LOAD, "kube-proxy", [1200], { size: 10_000, unfinished: true });
 *     report.version("kube-proxy", "v1.34.4");
 *     report.finish();
 *
 * Values are in the quantity's unit, and that is a base unit: seconds, bytes. Series of the same quantity, program and
 * size that come in rounds are joined.
 */
export class Report {
  readonly #name: string;
  readonly #title: string;
  readonly #sizes: string;
  readonly #series: Series[] = [];
  readonly #versions: Record<string, string> = {};
  #order: readonly string[] = [];

  /** @param name of the files @param sizes what a series' size counts */
  constructor(name: string, title: string, sizes = "services") {
    this.#name = name;
    this.#title = title;
    this.#sizes = sizes;
  }

  add(
    quantity: Quantity,
    program: string,
    values: readonly number[],
    { size, unfinished = false }: { readonly size?: number; readonly unfinished?: boolean } = {},
  ): void {
    const at = this.#series.findIndex(
      (other) => other.quantity.name === quantity.name && other.program === program && other.size === size,
    );
    const before = this.#series[at];
    const series = {
      quantity,
      program,
      ...(size !== undefined && { size }),
      values: [...(before?.values ?? []), ...values],
      unfinished: unfinished || before?.unfinished === true,
    };
    if (at < 0) this.#series.push(series);
    else this.#series[at] = series;
  }

  /** The order in which quantities are told. Others follow, as they were measured. */
  arrange(...quantities: readonly Quantity[]): void {
    this.#order = quantities.map(({ name }) => name);
  }

  version(program: string, version: string): void {
    this.#versions[program] = version;
  }

  /** Prints and writes everything. */
  finish(): Result {
    const result: Result = {
      benchmark: this.#name,
      title: this.#title,
      sizes: this.#sizes,
      machine: readMachine(),
      versions: this.#versions,
      quantities: evaluate(this.#series.toSorted((a, b) => this.#place(a) - this.#place(b))),
    };
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, `${this.#name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(FOLDER, `${this.#name}.svg`), renderPlot(result));
    console.log(`\n${formatTable(result)}\n`);
    return result;
  }

  #place({ quantity }: Series): number {
    const at = this.#order.indexOf(quantity.name);
    return at < 0 ? this.#order.length : at;
  }
}
