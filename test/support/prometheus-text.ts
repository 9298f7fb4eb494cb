export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/;
const TYPES = new Set(["counter", "gauge", "histogram"]);
const SUFFIXES = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] } as const;

/**
 * Reads the text format of Prometheus (version 0.0.4) as strictly as it is written down: HELP and TYPE before the samples
 * of a family, families in one piece, no sample twice, histograms whole. @throws Error naming the line
 */
export function parsePrometheusText(text: string): ReadonlyMap<string, MetricFamily> {
  if (!text.endsWith("\n")) throw new Error("Cannot read metrics as the last line has no end");
  const families = new Map<string, MetricFamily & { readonly samples: Sample[] }>();
  const seen = new Set<string>();
  let help: readonly [string, string] | undefined;
  let family: (MetricFamily & { readonly samples: Sample[] }) | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const wrong = (why: string) => new Error(`Cannot read metrics as ${why}: current value is ${line}`);
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, keyword, name = "", rest = ""] = comment;
      if (!NAME.test(name) || families.has(name)) throw wrong("the name is none, or comes twice");
      if (keyword === "HELP") help = [name, rest];
      else {
        if (help?.[0] !== name || !TYPES.has(rest)) throw wrong("it has no help, or no type");
        family = { name, type: rest, help: help[1], samples: [] };
        families.set(name, family);
      }
      continue;
    }
    const sample = parseSample(line);
    if (sample === undefined || family === undefined) throw wrong("it is no sample");
    const suffixes: readonly string[] = SUFFIXES[family.type as keyof typeof SUFFIXES];
    if (!suffixes.some((suffix) => sample.name === `${family?.name}${suffix}`)) throw wrong("it is in another family");
    const id = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
    if (seen.has(id)) throw wrong("it comes twice");
    seen.add(id);
    family.samples.push(sample);
  }
  for (const { name, type, samples } of families.values()) if (type === "histogram") checkHistogram(name, samples);
  return families;
}

function parseSample(line: string): Sample | undefined {
  const match = SAMPLE.exec(line);
  if (match === null) return undefined;
  const labels: Record<string, string> = {};
  for (let rest = match[2] ?? ""; rest !== ""; ) {
    const label = LABEL.exec(rest);
    if (label === null || label[1] === undefined || label[1] in labels) return undefined;
    labels[label[1]] = label[2] ?? "";
    rest = rest.slice(label[0].length);
  }
  const text = match[3] ?? "";
  const value = /^[+-]Inf$/.test(text) ? Number(`${text[0]}Infinity`) : Number(text);
  return Number.isNaN(value) && text !== "NaN" ? undefined : { name: match[1] ?? "", labels, value };
}

/** Buckets that only grow, the last of them for everything and as large as the count. */
function checkHistogram(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  const bounds = buckets.map(({ labels: { le } }) => (le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le)));
  const grows = (numbers: readonly number[]) => numbers.every((n, i) => i === 0 || n >= (numbers[i - 1] ?? 0));
  const whole = bounds.at(-1) === Number.POSITIVE_INFINITY && buckets.at(-1)?.value === count;
  if (!whole || !grows(bounds) || !grows(buckets.map(({ value }) => value)))
    throw new Error(`Cannot read metrics as a histogram is not whole: current value is ${name}`);
}
