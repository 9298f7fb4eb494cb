import { CHART } from "./chart.ts";
import { element, text } from "./svg.ts";

const COLUMNS = 3;
const MARGIN = 20;
const HEADER = 100;

/** Told apart by the colour-blind too (Okabe and Ito, 2008). The first is ours. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/** What no program does. */
const NO_PROGRAM = ["direct", "nothing loads"];
const GREY = "#888888";

export interface LegendItem {
  readonly name: string;
  readonly colour: string;
}

export function colourOf(programs: readonly string[], program: string): string {
  if (NO_PROGRAM.includes(program)) return GREY;
  const list = programs.filter((name) => !NO_PROGRAM.includes(name));
  return COLOURS[list.indexOf(program) % COLOURS.length] ?? GREY;
}

/** Charts beside and below each other, as one SVG document on white. */
export function renderPage(
  title: string,
  lines: readonly string[],
  legend: readonly LegendItem[],
  charts: readonly string[],
): string {
  const columns = Math.min(COLUMNS, Math.max(2, charts.length));
  const width = 2 * MARGIN + columns * CHART.width;
  const height = HEADER + Math.ceil(charts.length / columns) * (CHART.height + 14) + MARGIN;
  let x = MARGIN + 8;
  const items = legend.map(({ name, colour }) => {
    const item =
      element("rect", { x, y: HEADER - 34, width: 12, height: 12, fill: colour, rx: 2 }) +
      text(x + 17, HEADER - 24, name, { "font-size": 12 });
    x += 17 + name.length * 7 + 22;
    return item;
  });
  const body = [
    element("rect", { width: "100%", height: "100%", fill: "#fff" }),
    text(MARGIN + 8, 28, title, { "font-size": 17, "font-weight": "700", fill: "#111" }),
    ...lines.map((one, i) => text(MARGIN + 8, 45 + i * 13, one, { fill: "#666" })),
    ...items,
    ...charts.map((chart, i) => {
      const [left, top] = [
        MARGIN + (i % columns) * CHART.width,
        HEADER + Math.floor(i / columns) * (CHART.height + 14),
      ];
      return element("g", { transform: `translate(${left} ${top})` }, chart);
    }),
  ];
  const font = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif";
  return `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      "font-family": font,
      "font-size": 10.5,
      fill: "#333",
    },
    ...body.map((one) => `\n${one}`),
    "\n",
  )}\n`;
}
