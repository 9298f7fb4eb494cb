import { writeFileSync } from "node:fs";
import { type Growth, growthOf } from "./growth.ts";
import { type Line, renderLineChart } from "./report/chart.ts";
import { formatFigure, type Unit } from "./report/figure.ts";
import { describeMachine, readMachine } from "./report/machine.ts";
import { renderPage } from "./report/page.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import type { SoakSample } from "./soak-sample.ts";

/** What fills up after a start and then stays: the heap, caches. */
const WARM_UP_SECONDS = 600;
/** The compiler's code and what the allocator keeps of the heap's largest moments take longer; told beside the other. */
const SETTLED_SECONDS = 1500;
/** Of a short run, this share at most. */
const WARM_UP_SHARE = 0.25;
/** Design's measure of a day's soak, here of what is measured. */
const MEMORY_GROWTH_LIMIT_BYTES = 1e6;
const COLOURS = ["#0072b2", "#d55e00", "#009e73"];

type Field = Exclude<keyof SoakSample, "load">;

interface Plotted {
  readonly title: string;
  readonly unit: Unit;
  readonly fields: Readonly<Record<string, (sample: SoakSample) => number>>;
}

const PLOTTED: readonly Plotted[] = [
  { title: "memory", unit: "B", fields: fields({ resident: "residentBytes", PSS: "proportionalBytes" }) },
  { title: "memory, anonymous", unit: "B", fields: fields({ anonymous: "anonymousBytes" }) },
  {
    title: "descriptors, sockets, threads",
    unit: "1",
    fields: fields({ descriptors: "descriptors", sockets: "sockets", threads: "threads" }),
  },
  {
    title: "cluster names, p50 and p99",
    unit: "s",
    fields: { p50: latency("cluster", "p50Milliseconds"), p99: latency("cluster", "p99Milliseconds") },
  },
  {
    title: "connections, p50 and p99",
    unit: "s",
    fields: { p50: latency("connections", "p50Milliseconds"), p99: latency("connections", "p99Milliseconds") },
  },
  {
    title: "names from upstream, p50 and p99",
    unit: "s",
    fields: { p50: latency("forwarded", "p50Milliseconds"), p99: latency("forwarded", "p99Milliseconds") },
  },
  { title: "database and its log", unit: "B", fields: fields({ database: "databaseBytes", log: "walBytes" }) },
  {
    title: "elements in the kernel, connections tracked",
    unit: "1",
    fields: fields({ elements: "elements", connections: "connectionsTracked" }),
  },
  { title: "forwarded answers kept", unit: "1", fields: fields({ answers: "cachedAnswers" }) },
];

interface Growing {
  readonly field: Field;
  readonly unit: Unit;
  readonly limit?: number;
  /** After the usual warm-up unless told. */
  readonly fromSeconds?: number;
}

const GROWING: Readonly<Record<string, Growing>> = {
  "growth an hour: anonymous memory": { field: "anonymousBytes", unit: "B", limit: MEMORY_GROWTH_LIMIT_BYTES },
  "growth an hour: anonymous memory, from 25 minutes on": {
    field: "anonymousBytes",
    unit: "B",
    limit: MEMORY_GROWTH_LIMIT_BYTES,
    fromSeconds: SETTLED_SECONDS,
  },
  "growth an hour: resident memory": { field: "residentBytes", unit: "B", limit: MEMORY_GROWTH_LIMIT_BYTES },
  "growth an hour: proportional memory (PSS)": { field: "proportionalBytes", unit: "B" },
  "growth an hour: descriptors": { field: "descriptors", unit: "1" },
  "growth an hour: netlink sockets": { field: "netlinkSockets", unit: "1" },
  "growth an hour: threads": { field: "threads", unit: "1" },
};

const LEVELS: Readonly<Record<string, { readonly field: Field; readonly unit: Unit }>> = {
  "memory, resident": { field: "residentBytes", unit: "B" },
  "memory, anonymous": { field: "anonymousBytes", unit: "B" },
  "memory, PSS": { field: "proportionalBytes", unit: "B" },
  descriptors: { field: "descriptors", unit: "1" },
  threads: { field: "threads", unit: "1" },
  database: { field: "databaseBytes", unit: "B" },
  "stall of the event loop, worst of a sample": { field: "eventLoopLagSeconds", unit: "s" },
};

const CPU: Quantity = { name: "CPU, of one core", unit: "%", better: "less" };

/** Prints the summary; writes it with `Report`, and what became of it over time as `timeline`, a plot. */
export function reportSoak(samples: readonly SoakSample[], timeline: string): void {
  const length = samples.at(-1)?.seconds ?? 0;
  const from = Math.min(WARM_UP_SECONDS, length * WARM_UP_SHARE);
  const steady = samples.filter(({ seconds }) => seconds >= from);
  const title = `Soak of ${formatFigure(length, "s")} under churn, growth from ${formatFigure(from, "s")} on`;
  const report = new Report("soak", title);
  const growths = Object.entries(GROWING).flatMap(([name, { field, unit, limit, fromSeconds = from }]) => {
    const counted = samples.filter(({ seconds }) => seconds >= fromSeconds);
    if (length < 2 * fromSeconds) return [];
    const growth = growthOf(counted.map((sample) => ({ seconds: sample.seconds, value: sample[field] })));
    const goals =
      limit === undefined || length < 2 * WARM_UP_SECONDS
        ? []
        : [{ kind: "limit" as const, value: limit, statistic: "median" as const }];
    report.add({ name, unit, better: "less", goals }, OURS, [growth.perHour]);
    return describeGrowth(name, growth, unit);
  });
  for (const [name, { field, unit }] of Object.entries(LEVELS)) {
    report.add(
      { name, unit, better: "less" },
      OURS,
      steady.map((sample) => sample[field]),
    );
  }
  addLoad(report, samples);
  report.add(CPU, OURS, [(100 * cpuOf(steady)) / (length - from)]);
  report.finish();
  console.log(growths.join("\n"));
  writeFileSync(timeline, renderTimeline(title, samples));
}

function cpuOf(samples: readonly SoakSample[]): number {
  return (samples.at(-1)?.cpuSeconds ?? 0) - (samples[0]?.cpuSeconds ?? 0);
}

function describeGrowth(name: string, { perHour, errorPerHour }: Growth, unit: Unit): string {
  return `${name}: ${formatFigure(perHour, unit)} ± ${formatFigure(errorPerHour, unit)}`;
}

/** What the clients saw, all of the time. */
function addLoad(report: Report, samples: readonly SoakSample[]): void {
  const windows = samples.flatMap(({ load }) => load);
  const [first] = windows;
  for (const what of Object.keys(first ?? {})) {
    const outcomes = windows.flatMap((window) => window[what] ?? []);
    const total = (field: "answered" | "wrong" | "lost"): number => outcomes.reduce((sum, one) => sum + one[field], 0);
    const count = (name: string): Quantity => ({ name: `${what}: ${name}`, unit: "1", better: "less" });
    report.add({ name: `${what}: answered`, unit: "1", better: "more" }, OURS, [total("answered")]);
    report.add(count("failed, or answered wrongly"), OURS, [total("wrong")]);
    report.add(count("lost"), OURS, [total("lost")]);
    for (const field of ["p50Milliseconds", "p99Milliseconds"] as const) {
      const name = `${what}: ${field.slice(0, 3)} of five seconds`;
      const values = outcomes.flatMap((one) => one[field] ?? []).map((milliseconds) => milliseconds / 1000);
      report.add({ name, unit: "s", better: "less" }, OURS, values);
    }
  }
}

function renderTimeline(title: string, samples: readonly SoakSample[]): string {
  const charts = PLOTTED.map(({ title: name, unit, fields: plotted }) => {
    const lines = Object.values(plotted).map((read, i): Line => {
      const points = samples.map((sample) => ({ x: sample.seconds / 60, y: read(sample) }));
      return { colour: COLOURS[i] ?? "#000", points: points.filter(({ y }) => Number.isFinite(y)), marks: false };
    });
    const format = { formatX: (minutes: number) => String(minutes), formatY: (y: number) => formatFigure(y, unit) };
    return renderLineChart({
      title: `${name} (${Object.keys(plotted).join(", ")})`,
      lines,
      x: "time",
      xLabel: "minutes",
      ...format,
    });
  });
  const legend = ["first", "second", "third"].map((name, i) => ({ name, colour: COLOURS[i] ?? "#000" }));
  return renderPage(title, [describeMachine(readMachine())], legend, charts);
}

function fields(names: Readonly<Record<string, Field>>): Plotted["fields"] {
  return Object.fromEntries(
    Object.entries(names).map(([name, field]) => [name, (sample: SoakSample) => sample[field]]),
  );
}

/** In seconds: the worst of the sample's windows. NaN where there was none. */
function latency(what: string, field: "p50Milliseconds" | "p99Milliseconds") {
  return ({ load }: SoakSample) => {
    const values = load.flatMap((window) => window[what]?.[field] ?? []);
    return values.length === 0 ? Number.NaN : Math.max(...values) / 1000;
  };
}
