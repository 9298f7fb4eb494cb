/** Values are kept in these; people read them with a prefix. `1` is a plain number. */
export type Unit = "s" | "B" | "1/s" | "1" | "%";

interface Step {
  readonly from: number;
  readonly factor: number;
  readonly name: string;
}

const STEPS: Readonly<Record<Unit, readonly Step[]>> = {
  s: [
    { from: 1, factor: 1, name: "s" },
    { from: 1e-3, factor: 1e-3, name: "ms" },
    { from: 0, factor: 1e-6, name: "µs" },
  ],
  B: [
    { from: 1e6, factor: 1e6, name: "MB" },
    { from: 1e3, factor: 1e3, name: "kB" },
    { from: 0, factor: 1, name: "B" },
  ],
  "1/s": [{ from: 0, factor: 1, name: "/s" }],
  "1": [{ from: 0, factor: 1, name: "" }],
  "%": [{ from: 0, factor: 1, name: "%" }],
};

/** Three digits, of whole numbers all: `0.0213 s` is `21.3 ms`, and 12345.6 is `12,346`. */
export function formatFigure(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const steps = STEPS[unit];
  const step = (size === 0 ? steps.find(({ factor }) => factor === 1) : steps.find(({ from }) => size >= from)) ?? {
    factor: 1,
    name: "",
  };
  return `${formatNumber(value / step.factor)} ${step.name}`.trimEnd();
}

export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  const text = value.toPrecision(3);
  return text.includes("e") ? text : text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

export function formatTimes(factor: number): string {
  return `${formatNumber(factor)} ×`;
}
