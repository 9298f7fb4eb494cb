import { PAIRS_LIMIT, type Topology, type TopologyCommunity, type TopologyEndpoint } from "./topology.ts";
import { LABEL_GAP, type Layout, layOut, type PlacedEndpoint, type Point } from "./topology-layout.ts";

const COLOUR = {
  localConnector: "#14532d",
  localEdge: "#2f9e5b",
  otherConnector: "#1e3a8a",
  otherEdge: "#5b9bf0",
  trouble: "#c81e1e",
  link: "#c3cad3",
  text: "#1f2933",
} as const;
/** Told apart also by most who see colours differently (Okabe and Ito, without those used above). */
const COMMUNITY_COLOURS = ["#d55e00", "#0072b2", "#b0448c", "#c98a00", "#6a3d9a", "#00847e", "#8c564b", "#5f6b12"];
const LEGEND_ROWS_LIMIT = 24;
const LEGEND_COLUMN = 300;
const LINE_HEIGHT = 20;
const WIDTH_LEAST = 640;
/** Around a connector. */
const CENTRE_ROOM = 30;

/** The same topology is the same text. */
export function formatSvg(topology: Topology): string {
  const layout = layOut(topology);
  const width = Math.max(WIDTH_LEAST, Math.ceil(layout.width));
  const legend = formatLegend(layout, topology, Math.ceil(layout.height), width);
  const height = Math.ceil(layout.height) + legend.height;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(`Tunnels of cluster ${topology.cluster}`)}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="${COLOUR.text}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<g transform="translate(${at((width - layout.width) / 2)} 0)">`,
    `<g stroke="${COLOUR.link}" stroke-width="1">`,
    ...topology.links.flatMap(({ from, to }) => line(layout.endpoints.get(from), layout.endpoints.get(to))),
    "</g>",
    ...layout.communities.map((community, i) => formatCommunity(community, layout, communityColour(i))),
    ...[...layout.endpoints.values()].map(formatEndpoint),
    "</g>",
    ...legend.lines,
    "</svg>",
    "",
  ].join("\n");
}

function line(from: Point | undefined, to: Point | undefined): readonly string[] {
  if (from === undefined || to === undefined) return [];
  return [`<line x1="${at(from.x)}" y1="${at(from.y)}" x2="${at(to.x)}" y2="${at(to.y)}"/>`];
}

function formatCommunity({ name, members }: TopologyCommunity, layout: Layout, colour: string): string {
  const points = members.flatMap((member) => layout.endpoints.get(member) ?? []);
  const title = `<title>${escapeXml(`${name}: ${members.join(", ")}`)}</title>`;
  const group = `<g stroke="${colour}" stroke-width="1.6" stroke-opacity="0.75" fill="none">${title}`;
  if (points.length <= PAIRS_LIMIT) {
    const pairs = points.flatMap((a, i) => points.slice(i + 1).map((b) => bow(a, b, layout)));
    return `${group}${pairs.join("")}</g>`;
  }
  const hub = hubOf(points, layout);
  const spokes = points.flatMap((point) => line(point, hub));
  const dot = `<circle cx="${at(hub.x)}" cy="${at(hub.y)}" r="5" fill="${colour}" stroke="#ffffff"/>`;
  return `${group}${spokes.join("")}${dot}</g>${halo(hub.x, hub.y - 9, name, `fill="${colour}" text-anchor="middle" font-weight="bold"`)}`;
}

/** A line that bends towards the centre of its cluster, so that it is no chord of the ring's labels. */
function bow(a: PlacedEndpoint, b: PlacedEndpoint, { clusters }: Layout): string {
  const centre = clusters.find(({ name }) => name === a.cluster);
  const straight = a.cluster !== b.cluster || a.angle === undefined || b.angle === undefined || centre === undefined;
  if (straight) return `<path d="M${at(a.x)} ${at(a.y)}L${at(b.x)} ${at(b.y)}"/>`;
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const inwards = Math.hypot(middle.x - centre.x, middle.y - centre.y);
  const across = inwards < CENTRE_ROOM;
  // Neighbours on a large ring need no long way round.
  const depth = Math.min(0.35, (CENTRE_ROOM + Math.hypot(b.x - a.x, b.y - a.y) / 2) / inwards);
  // Who stands opposite is reached around the connector.
  const [dx, dy] = across
    ? [(b.y - a.y) * 0.4, (a.x - b.x) * 0.4]
    : [(centre.x - middle.x) * depth, (centre.y - middle.y) * depth];
  const control = `${at(middle.x + dx)} ${at(middle.y + dy)}`;
  return `<path d="M${at(a.x)} ${at(a.y)}Q${control} ${at(b.x)} ${at(b.y)}"/>`;
}

/** In the middle of the members, somewhat towards the connector, and not on it. */
function hubOf(points: readonly PlacedEndpoint[], { clusters }: Layout): Point {
  const mean = (read: (point: Point) => number) => points.reduce((sum, point) => sum + read(point), 0) / points.length;
  const middle = { x: mean((p) => p.x), y: mean((p) => p.y) };
  const inside = clusters.find(({ x, y, radius }) => Math.hypot(x - middle.x, y - middle.y) < radius);
  if (inside === undefined) return middle;
  const [dx, dy] = [(middle.x - inside.x) * 0.65, (middle.y - inside.y) * 0.65];
  if (Math.hypot(dx, dy) < 2 * CENTRE_ROOM) return { x: inside.x, y: inside.y - inside.radius * 0.55 };
  return { x: inside.x + dx, y: inside.y + dy };
}

function formatEndpoint(endpoint: PlacedEndpoint): string {
  const { name, ready, type, x, y, label, angle, cluster } = endpoint;
  const title = `<title>${escapeXml(`${name}, ${type}${ready ? "" : ", not ready"}`)}</title>`;
  if (angle === undefined) {
    const shape = `<rect x="${at(x - 13)}" y="${at(y - 13)}" width="26" height="26" rx="5" ${fill(endpoint)}/>`;
    return `<g>${title}${shape}</g>${halo(x, y + 30, cluster, 'text-anchor="middle" font-weight="bold" font-size="14"')}`;
  }
  const shape = `<circle cx="${at(x)}" cy="${at(y)}" r="6" ${fill(endpoint)}/>`;
  const degrees = (angle * 180) / Math.PI;
  const leftHalf = Math.cos(angle) < -1e-9;
  const turn = leftHalf ? degrees + 180 : degrees;
  const anchor = leftHalf ? ` text-anchor="end"` : "";
  const offset = leftHalf ? -LABEL_GAP : LABEL_GAP;
  const colour = ready ? "" : ` fill="${COLOUR.trouble}"`;
  const text = `<text transform="translate(${at(x)} ${at(y)}) rotate(${at(turn)})" x="${offset}" y="4"${anchor}${colour}>${escapeXml(label)}</text>`;
  return `<g>${title}${shape}${text}</g>`;
}

function fill({ type, local, ready }: TopologyEndpoint): string {
  if (!ready) return `fill="#ffffff" stroke="${COLOUR.trouble}" stroke-width="2" stroke-dasharray="3 2"`;
  if (type === "Connector") return `fill="${local ? COLOUR.localConnector : COLOUR.otherConnector}"`;
  return `fill="${local ? COLOUR.localEdge : COLOUR.otherEdge}"`;
}

/** A text that can be read above lines. */
function halo(x: number, y: number, text: string, attributes: string): string {
  return `<text x="${at(x)}" y="${at(y)}" stroke="#ffffff" stroke-width="4" paint-order="stroke" ${attributes}>${escapeXml(text)}</text>`;
}

function formatLegend(layout: Layout, { endpoints }: Topology, top: number, width: number) {
  const has = (wanted: (endpoint: TopologyEndpoint) => boolean) => endpoints.some(wanted);
  const square = (colour: string) => `<rect x="0" y="-10" width="12" height="12" rx="3" fill="${colour}"/>`;
  const round = (attributes: string) => `<circle cx="6" cy="-4" r="5" ${attributes}/>`;
  const kinds: readonly (readonly [boolean, string, string])[] = [
    [true, square(COLOUR.localConnector), "connector"],
    [has((e) => e.local && e.type === "EdgeNode"), round(`fill="${COLOUR.localEdge}"`), "edge node"],
    [has((e) => !e.local), square(COLOUR.otherConnector), "connector of another cluster"],
    [
      has((e) => !e.local && e.type === "EdgeNode"),
      round(`fill="${COLOUR.otherEdge}"`),
      "edge node of another cluster",
    ],
    [
      has((e) => !e.ready),
      round(`fill="#ffffff" stroke="${COLOUR.trouble}" stroke-width="2" stroke-dasharray="3 2"`),
      "not ready",
    ],
  ];
  const communities = layout.communities.slice(0, LEGEND_ROWS_LIMIT).map(({ name, members }, i) => {
    const stroke = `<line x1="0" y1="-4" x2="14" y2="-4" stroke="${communityColour(i)}" stroke-width="3"/>`;
    return [stroke, `${cut(name)}, ${members.length} members`] as const;
  });
  const entries = [...kinds.filter(([shown]) => shown).map(([, mark, text]) => [mark, text] as const), ...communities];
  const columns = Math.max(1, Math.floor((width - 24) / LEGEND_COLUMN));
  const rows = Math.ceil(entries.length / columns);
  const lines = entries.map(([mark, text], i) => {
    const [x, y] = [24 + Math.floor(i / rows) * LEGEND_COLUMN, top + LINE_HEIGHT * ((i % rows) + 1)];
    return `<g transform="translate(${x} ${y})">${mark}<text x="20">${escapeXml(text)}</text></g>`;
  });
  const sentences: string[] = [];
  const more = layout.communities.length - communities.length;
  if (more > 0) sentences.push(`${more} more communities are drawn and not named here.`);
  if (layout.leftOut > 0) {
    sentences.push(`${layout.leftOut} of ${endpoints.length} endpoints are not drawn: -o json has them all.`);
  }
  for (const [i, sentence] of sentences.entries()) {
    lines.push(`<text x="24" y="${top + LINE_HEIGHT * (rows + i + 1)}" font-style="italic">${sentence}</text>`);
  }
  return { lines, height: LINE_HEIGHT * (rows + sentences.length) + 24 };
}

function communityColour(index: number): string {
  return COMMUNITY_COLOURS[index % COMMUNITY_COLOURS.length] ?? COLOUR.text;
}

function cut(text: string): string {
  return text.length <= 30 ? text : `${text.slice(0, 29)}…`;
}

/** A tenth of a pixel is enough, and keeps the text the same on every machine. */
function at(value: number): string {
  return String(Math.round(value * 10) / 10 + 0);
}

/** XML 1.0 has no control characters, escaped or not. */
function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  const clean = text.replace(/[\x00-\x1f\x7f]/g, "\ufffd");
  return clean.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
