import type { Topology, TopologyCommunity, TopologyEndpoint } from "./topology.ts";

/** More than these cannot be told apart in a picture. */
export const DRAWN_ENDPOINTS_MAX = 500;
/** Along the ring, for the height of a line of text. */
const SPACING = 19;
const RADIUS_LEAST = 120;
const MARGIN = 24;
/** Of a character in the labels' size, on average. */
const CHARACTER_WIDTH = 7;
/** Longer names are cut. */
const LABEL_LENGTH_MAX = 28;
/** Between an endpoint and its label. */
export const LABEL_GAP = 12;
/** Clusters beside each other until a row is so wide. */
const ROW_WIDTH = 1800;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedEndpoint extends TopologyEndpoint, Point {
  readonly label: string;
  /** Of the direction from its connector, in radians, clockwise from the right; undefined: it is in the centre. */
  readonly angle: number | undefined;
}

export interface PlacedCluster extends Point {
  readonly name: string;
  readonly radius: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly clusters: readonly PlacedCluster[];
  readonly endpoints: ReadonlyMap<string, PlacedEndpoint>;
  readonly communities: readonly TopologyCommunity[];
  /** How many endpoints there are that are not drawn. */
  readonly leftOut: number;
}

/** Each cluster is a disk: its connector in the centre, its edge nodes around, members of a community side by side. */
export function layOut(topology: Topology): Layout {
  const { endpoints, communities } = topology;
  const ordered = [...endpoints].sort((a, b) => Number(a.type !== "Connector") - Number(b.type !== "Connector"));
  const drawn = new Set(ordered.slice(0, DRAWN_ENDPOINTS_MAX));
  const byCluster = Map.groupBy(
    endpoints.filter((endpoint) => drawn.has(endpoint)),
    ({ cluster }) => cluster,
  );
  const rank = rankMembers(communities);
  const clusters: PlacedCluster[] = [];
  const placed = new Map<string, PlacedEndpoint>();
  let [left, top, rowHeight, width] = [MARGIN, MARGIN, 0, 0];
  for (const [name, members] of byCluster) {
    const disk = measureDisk(members);
    if (left > MARGIN && left + 2 * disk.outer > ROW_WIDTH) [left, top, rowHeight] = [MARGIN, top + rowHeight, 0];
    const centre = { x: left + disk.outer, y: top + disk.outer };
    clusters.push({ name, ...centre, radius: disk.radius });
    for (const endpoint of placeDisk(members, centre, disk.radius, rank)) placed.set(endpoint.name, endpoint);
    left += 2 * disk.outer + MARGIN;
    rowHeight = Math.max(rowHeight, 2 * disk.outer + MARGIN);
    width = Math.max(width, left);
  }
  return {
    width,
    height: top + rowHeight,
    clusters,
    endpoints: placed,
    communities: communities
      .map(({ name, members }) => ({ name, members: members.filter((member) => placed.has(member)) }))
      .filter(({ members }) => members.length > 1),
    leftOut: endpoints.length - placed.size,
  };
}

/** By its largest community first; who is in none comes last. */
function rankMembers(communities: readonly TopologyCommunity[]): ReadonlyMap<string, number> {
  const rank = new Map<string, number>();
  for (const [i, { members }] of communities.entries()) {
    for (const member of members) if (!rank.has(member)) rank.set(member, i);
  }
  return rank;
}

function measureDisk(members: readonly TopologyEndpoint[]): { readonly radius: number; readonly outer: number } {
  const around = members.filter(({ type }) => type === "EdgeNode");
  const radius = around.length === 0 ? 40 : Math.max(RADIUS_LEAST, (around.length * SPACING) / (2 * Math.PI));
  const longest = Math.max(0, ...around.map((endpoint) => Bun.stringWidth(labelOf(endpoint))));
  return { radius, outer: Math.ceil(radius + LABEL_GAP + longest * CHARACTER_WIDTH + MARGIN) };
}

function placeDisk(
  members: readonly TopologyEndpoint[],
  centre: Point,
  radius: number,
  rank: ReadonlyMap<string, number>,
): readonly PlacedEndpoint[] {
  const order = ({ name }: TopologyEndpoint) => rank.get(name) ?? rank.size;
  // Stable, and they came sorted by name.
  const around = members.filter(({ type }) => type === "EdgeNode").sort((a, b) => order(a) - order(b));
  const middle = members.filter(({ type }) => type === "Connector");
  return [
    ...middle.map((endpoint) => ({ ...endpoint, ...centre, label: labelOf(endpoint), angle: undefined })),
    ...around.map((endpoint, i) => {
      // From the top, clockwise.
      const angle = (i / around.length) * 2 * Math.PI - Math.PI / 2;
      const [x, y] = [centre.x + radius * Math.cos(angle), centre.y + radius * Math.sin(angle)];
      return { ...endpoint, x, y, label: labelOf(endpoint), angle };
    }),
  ];
}

/** The name without the cluster's, which stands in the middle. */
function labelOf({ name, cluster }: TopologyEndpoint): string {
  const own = name.startsWith(`${cluster}.`) ? name.slice(cluster.length + 1) : name;
  return own.length <= LABEL_LENGTH_MAX ? own : `${own.slice(0, LABEL_LENGTH_MAX - 1)}…`;
}
