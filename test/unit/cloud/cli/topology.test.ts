import { describe, expect, test } from "bun:test";
import { planObjects } from "../../../../cloud/cli/planned-cluster.ts";
import { planTopology, type Topology } from "../../../../cloud/cli/topology.ts";
import { formatDot } from "../../../../cloud/cli/topology-dot.ts";
import { DRAWN_ENDPOINTS_MAX, layOut } from "../../../../cloud/cli/topology-layout.ts";
import { formatSvg } from "../../../../cloud/cli/topology-svg.ts";
import {
  cloudNode,
  community,
  edgeNode,
  makeOperatorSettings,
  remoteCluster,
} from "../../../support/operator-objects.ts";

function topologyOf(edges: number, ...more: Parameters<typeof planObjects>[1]): Topology {
  const nodes = Array.from({ length: edges }, (_, i) =>
    edgeNode(`e${i}`, { ip: `192.168.${i >> 8}.${i & 255}`, cidrs: [`10.1.${i >> 4}.${(i & 15) * 16}/28`] }),
  );
  const cloud = cloudNode("cloud-1", { ip: "10.0.0.1", cidrs: ["10.1.255.0/24"] });
  return planTopology(planObjects(makeOperatorSettings(), [cloud, ...nodes, ...more]));
}
const members = (count: number) => Array.from({ length: count }, (_, i) => `paris.e${i}`);

describe("the topology", () => {
  test("links edge nodes that can be used with their connector, and names those in communities", () => {
    const lyon = remoteCluster("lyon");
    const topology = topologyOf(
      2,
      lyon,
      edgeNode("bare"),
      community("c", ["paris.e0", "lyon.connector", "paris.x", "paris.bare"]),
    );
    expect(topology.links).toEqual(members(2).map((from) => ({ from, to: "paris.connector", via: null })));
    expect(topology.communities).toEqual([{ name: "c", members: ["lyon.connector", "paris.e0"] }]);
    expect(topology.endpoints.map(({ name, local, ready }) => [name, local, ready])).toEqual([
      ["paris.connector", true, true],
      ["paris.bare", true, false],
      ["paris.e0", true, true],
      ["paris.e1", true, true],
      ["lyon.connector", false, true],
    ]);
  });

  test("is laid out so that no two labels of a ring come closer than a line of text, and all is inside", () => {
    for (const count of [1, 5, 100, 400]) {
      const { width, height, endpoints } = layOut(topologyOf(count, remoteCluster("lyon")));
      const around = [...endpoints.values()].filter(({ angle }) => angle !== undefined);
      expect(around).toHaveLength(count);
      for (const [i, { x, y }] of around.entries()) {
        const next = around[(i + 1) % count];
        if (next !== undefined && count > 1) expect(Math.hypot(next.x - x, next.y - y)).toBeGreaterThan(16);
        expect(Math.min(x, y, width - x, height - y)).toBeGreaterThan(20);
      }
    }
  });

  test("has the members of a community side by side", () => {
    const { endpoints } = layOut(topologyOf(20, community("c", ["paris.e3", "paris.e11", "paris.e17"])));
    const order = [...endpoints.values()].filter(({ angle }) => angle !== undefined).map(({ name }) => name);
    expect(order.slice(0, 3)).toEqual(["paris.e11", "paris.e17", "paris.e3"]);
  });

  test("is drawn with a line for each pair of a small community, and with its name amidst a large one", () => {
    const strokes = (count: number) => {
      const svg = formatSvg(topologyOf(20, community("hall", members(count))));
      const [, group = ""] = /<title>hall: [^<]*<\/title>(.*)/.exec(svg) ?? [];
      return [group.split("<path").length - 1, group.split("<line").length - 1, group.includes(">hall</text>")];
    };
    expect(strokes(8)).toEqual([28, 0, false]);
    expect(strokes(9)).toEqual([0, 9, true]);
  });

  test("is the same text whatever the order in which the objects came", () => {
    const edges = ["a", "b"].map((name, i) => edgeNode(name, { ip: `10.9.0.${i}`, cidrs: [`10.1.${i}.0/24`] }));
    const objects = [...edges, community("c", ["paris.b", "paris.a"]), remoteCluster("lyon"), remoteCluster("nice")];
    const draw = (all: typeof objects) => formatSvg(planTopology(planObjects(makeOperatorSettings(), all)));
    expect(draw(objects.toReversed())).toBe(draw(objects));
  });

  test("names from outside are text in SVG and in DOT, whatever they hold", () => {
    const hostile = 'x"<script>&\u0007\\';
    const topology: Topology = {
      cluster: hostile,
      endpoints: [{ name: hostile, cluster: hostile, type: "Connector", local: true, ready: true }],
      communities: [],
      links: [],
    };
    const svg = formatSvg(topology);
    expect(svg).not.toContain("<script");
    expect(svg).not.toContain("\u0007");
    expect(formatDot(topology)).toContain('label="x\\"<script>&\u0007/";');
  });

  test("a picture ends at its bound, and a sentence says so", () => {
    const topology = topologyOf(DRAWN_ENDPOINTS_MAX + 10);
    expect(layOut(topology).endpoints.size).toBe(DRAWN_ENDPOINTS_MAX);
    expect(formatSvg(topology)).toContain(">11 of 511 endpoints are not drawn: -o json has them all.</text>");
  });
});
