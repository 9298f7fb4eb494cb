export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly render: () => readonly string[];
}

/** A value that only grows. Children are made per label set; label values must be bounded by the caller. */
export class Counter {
  readonly #values = new Map<string, number>();

  add(n = 1, labels?: Labels): void {
    const key = labels === undefined ? "" : formatLabels(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + n);
  }

  get(labels?: Labels): number {
    return this.#values.get(labels === undefined ? "" : formatLabels(labels)) ?? 0;
  }

  samples(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${labels} ${value}`);
  }
}

/** Cumulative buckets in seconds, as Prometheus' histograms are. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  /** @param count how many events took that long */
  observe(valueSeconds: number, count = 1): void {
    this.#sum += valueSeconds * count;
    this.#count += count;
    const at = this.#bounds.findIndex((bound) => valueSeconds <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  samples(name: string): string[] {
    let below = 0;
    const lines = this.#bounds.map((bound, i) => {
      below += this.#counts[i] ?? 0;
      return `${name}_bucket{le="${bound}"} ${below}`;
    });
    lines.push(`${name}_bucket{le="+Inf"} ${this.#count}`, `${name}_sum ${this.#sum}`, `${name}_count ${this.#count}`);
    return lines;
  }
}

/** Everything that /metrics shows, in Prometheus' text format 0.0.4. */
export class Metrics {
  readonly #prefix: string;
  readonly #families: Family[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  counter(name: string, help: string): Counter {
    const counter = new Counter();
    this.#register(name, help, "counter", (full) => counter.samples(full));
    return counter;
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds);
    this.#register(name, help, "histogram", (full) => histogram.samples(full));
    return histogram;
  }

  /** Read when scraped: the value lives where the fact is. */
  gauge(name: string, help: string, read: () => number | readonly (readonly [Labels, number])[]): void {
    this.#register(name, help, "gauge", (full) => formatValue(full, read()));
  }

  /** Like `gauge`, for a count that only grows: for hot paths that count in plain numbers. */
  counterOf(name: string, help: string, read: () => number | readonly (readonly [Labels, number])[]): void {
    this.#register(name, help, "counter", (full) => formatValue(full, read()));
  }

  render(): string {
    return this.#families
      .map((f) => [`# HELP ${f.name} ${f.help}`, `# TYPE ${f.name} ${f.type}`, ...f.render(), ""].join("\n"))
      .join("");
  }

  #register(name: string, help: string, type: Family["type"], samples: (full: string) => readonly string[]): void {
    const full = `${this.#prefix}_${name}`;
    if (this.#families.some((f) => f.name === full)) throw new Error(`Cannot register metric "${full}" twice`);
    this.#families.push({ name: full, help, type, render: () => samples(full) });
  }
}

function formatValue(name: string, value: number | readonly (readonly [Labels, number])[]): string[] {
  if (typeof value === "number") return [`${name} ${value}`];
  return value.map(([labels, n]) => `${name}${formatLabels(labels)} ${n}`);
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, escapeLabel)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(char: string): string {
  return char === "\n" ? "\\n" : `\\${char}`;
}
