import { type Extent, linearScale, type Scale, sizeScale, valueScale } from "./scale.ts";
import { element, line, text } from "./svg.ts";

/** With everything that belongs to it, in pixels. */
export const CHART = { width: 380, height: 276 };
const PLOT = { left: 62, right: 366, top: 60, bottom: 244 };
/** Bold, in the width of a chart. */
const TITLE_CHARACTERS = 46;
const TITLE_LINE = 16;
const GREY = { axis: "#555", grid: "#e4e4e4", text: "#333" };
const BAR_HEIGHT = 16;
const MARK = 3.2;

export interface Point {
  readonly x: number;
  readonly y: number;
  /** The true value is greater: drawn as an arrow upwards. */
  readonly atLeast?: boolean;
}

export interface Line {
  readonly colour: string;
  readonly points: readonly Point[];
  readonly dashed?: boolean;
  /** A point each: of many it is clutter. */
  readonly marks?: boolean;
}

export interface LineChart {
  readonly title: string;
  /** Smaller, below the title. */
  readonly note?: string;
  readonly lines: readonly Line[];
  /** `sizes` labels each x that there is, on a logarithmic axis; `time` is linear. */
  readonly x: "sizes" | "time";
  readonly xLabel: string;
  readonly formatX: (x: number) => string;
  readonly formatY: (y: number) => string;
  /** What is to be reached. */
  readonly level?: number;
}

export interface Bar {
  readonly label: string;
  readonly colour: string;
  readonly value: number;
  /** At the bar's end. */
  readonly text: string;
}

export interface BarChart {
  readonly title: string;
  readonly note?: string;
  readonly bars: readonly Bar[];
  readonly level?: number;
}

/** @returns a group of CHART's width and height, its corner at 0, 0 */
export function renderLineChart({ title, note, lines, x, xLabel, formatX, formatY, level }: LineChart): string {
  const points = lines.flatMap((one) => one.points);
  const across: Extent = { start: PLOT.left, end: PLOT.right };
  const xs = points.map((point) => point.x);
  const xScale = x === "sizes" ? sizeScale(xs, across) : linearScale(Math.min(...xs), Math.max(...xs), across);
  const levels = level === undefined ? [] : [level];
  const yScale = valueScale([...points.map((point) => point.y), ...levels], { start: PLOT.bottom, end: PLOT.top });
  return element(
    "g",
    {},
    renderTitle(title, note),
    ...yScale.ticks.map((tick) => {
      const at = yScale.at(tick);
      return (
        line(PLOT.left, at, PLOT.right, at, { stroke: GREY.grid }) +
        text(PLOT.left - 6, at + 3.5, formatY(tick), { "text-anchor": "end" })
      );
    }),
    ...xScale.ticks.map((tick) => {
      const at = xScale.at(tick);
      return (
        line(at, PLOT.bottom, at, PLOT.bottom + 4, { stroke: GREY.axis }) +
        text(at, PLOT.bottom + 16, formatX(tick), { "text-anchor": "middle" })
      );
    }),
    line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, { stroke: GREY.axis }),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 29, xLabel, { "text-anchor": "middle" }),
    ...levels.map((value) => renderLevel(PLOT.left, yScale.at(value), PLOT.right, yScale.at(value))),
    ...lines.map((one) => renderLine(one, xScale, yScale)),
  );
}

function renderLine({ colour, points, dashed = false, marks = true }: Line, x: Scale, y: Scale): string {
  const path = points.map((point, i) => `${i === 0 ? "M" : "L"}${at(x, point.x)} ${at(y, point.y)}`).join("");
  const dash = dashed ? { "stroke-dasharray": "4 3" } : {};
  const stroke = { stroke: colour, "stroke-width": dashed ? 1.3 : 2, "stroke-linejoin": "round", ...dash };
  const drawn = element("path", { d: path, fill: "none", ...stroke });
  if (!marks) return drawn;
  const fill = dashed ? "#fff" : colour;
  const dots = points.map((point) => {
    const [cx, cy] = [x.at(point.x), y.at(point.y)];
    if (point.atLeast !== true) return element("circle", { cx, cy, r: MARK, fill, stroke: colour });
    const arrow = `M${cx - 5} ${cy + 3}L${cx} ${cy - 6}L${cx + 5} ${cy + 3}Z`;
    return element("path", { d: arrow, fill, stroke: colour });
  });
  return drawn + dots.join("");
}

function at(scale: Scale, value: number): number {
  return Math.round(scale.at(value) * 100) / 100;
}

/** Bars from zero, each with its name above and its value behind it. */
export function renderBarChart({ title, note, bars, level }: BarChart): string {
  const values = [...bars.map((bar) => bar.value), ...(level === undefined ? [] : [level])];
  const [start, room] = [12, 90];
  const scale = linearScale(0, Math.max(...values), { start, end: CHART.width - room });
  const pitch = Math.min(44, (PLOT.bottom - PLOT.top) / bars.length);
  const bottom = PLOT.top + pitch * bars.length;
  return element(
    "g",
    {},
    renderTitle(title, note),
    ...bars.map(({ label, colour, value, text: figure }, i) => {
      const y = PLOT.top + i * pitch + pitch - BAR_HEIGHT;
      const width = Math.max(1, scale.at(value) - start);
      return (
        text(start, y - 4, label) +
        element("rect", { x: start, y, width, height: BAR_HEIGHT, fill: colour, rx: 2 }) +
        text(start + width + 6, y + 12, figure, { "font-weight": "600" })
      );
    }),
    ...(level === undefined ? [] : [renderLevel(scale.at(level), PLOT.top, scale.at(level), bottom + 4)]),
  );
}

function renderTitle(title: string, note = ""): string {
  const lines = wrap(title, TITLE_CHARACTERS);
  const bold = { "font-size": 13, "font-weight": "600", fill: "#111" };
  const titles = lines.map((one, i) => text(8, TITLE_LINE * (i + 1), one, bold));
  return titles.join("") + text(8, TITLE_LINE * lines.length + 14, note, { fill: "#666" });
}

/** At blanks; a word that is longer has a line of its own. */
function wrap(words: string, characters: number): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= characters) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function renderLevel(x1: number, y1: number, x2: number, y2: number): string {
  return line(x1, y1, x2, y2, { stroke: "#111", "stroke-width": 1.2, "stroke-dasharray": "1 3" });
}
