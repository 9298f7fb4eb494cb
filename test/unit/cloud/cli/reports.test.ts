import { describe, expect, test } from "bun:test";
import { reportAuthorities, reportLeaves } from "../../../../cloud/cli/certificate-report.ts";
import { judgeCertificates, judgeConnector, judgeHolders, judgePlan } from "../../../../cloud/cli/cluster-check.ts";
import { judgeDefinitions, judgeExports } from "../../../../cloud/cli/definition-check.ts";
import { reportImages } from "../../../../cloud/cli/image-report.ts";
import { formatNode, formatNodes, reportNodes } from "../../../../cloud/cli/node-report.ts";
import { planObjects } from "../../../../cloud/cli/planned-cluster.ts";
import { planTopology } from "../../../../cloud/cli/topology.ts";
import { formatDot } from "../../../../cloud/cli/topology-dot.ts";
import type { Workload } from "../../../../cloud/cli/workloads.ts";
import { AUTHORITY_LIFE } from "../../../../cloud/operator/authority-plan.ts";
import { reportAuthority } from "../../../../cloud/operator/authority-report.ts";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { plain } from "../../../../src/cli/table.ts";
import { CertificateWorld, DAY, START, wanted } from "../../../support/certificate-world.ts";
import { ip } from "../../../support/network-objects.ts";
import { cloudNode, community, edgeNode, makeOperatorSettings } from "../../../support/operator-objects.ts";

const CLOUD = cloudNode("cloud-1", { ip: "10.0.0.1", cidrs: ["10.1.1.0/24"] });
const E1 = edgeNode("e1", { ip: "192.168.9.7", cidrs: ["10.1.7.0/24"] });
const plan = (...objects: Parameters<typeof planObjects>[1]) => planObjects(makeOperatorSettings(), objects);

describe("nodes", () => {
  test("are told with what keeps them from being reached", () => {
    const reports = reportNodes(plan(CLOUD, E1, edgeNode("bare", { cidrs: ["10.1.8.0/24"] })));
    expect(reports.map(({ name, role, ready, problems }) => [name, role, ready, problems.map((p) => p.code)])).toEqual([
      ["paris.connector", "connector", true, []],
      ["bare", "edge", false, ["INTERNAL_IP_MISSING"]],
      ["cloud-1", "cloud", true, []],
      ["e1", "edge", true, []],
    ]);
    expect(formatNodes(reports, plain).split("\n")[2]).toMatch(/^bare +edge +pod +no .* INTERNAL_IP_MISSING$/);
    const [, bare] = reports;
    expect(bare && formatNode(bare, plain)).toContain("\nINTERNAL_IP_MISSING\n  Cannot connect node bare");
  });
});

describe("who holds whom", () => {
  const publication = (node: string, ...edges: readonly (readonly [name: string, claim: number])[]) => ({
    node,
    address: ip("10.0.0.1"),
    prefixes: [],
    edges: edges.map(([name, claim]) => ({ name, claim, subnets: [], nodeSubnets: [] })),
  });
  const C2 = cloudNode("cloud-2", { ip: "10.0.0.2", cidrs: ["10.1.2.0/24"] });
  const E2 = edgeNode("e2", { ip: "192.168.9.8", cidrs: ["10.1.8.0/24"] });
  const made = (...publications: readonly ReturnType<typeof publication>[]) =>
    planObjects(makeOperatorSettings(), [CLOUD, C2, E1, E2], publications);
  const checked = (...publications: readonly ReturnType<typeof publication>[]) =>
    judgeHolders(made(...publications)).map((each) => (each.ok ? each.message : [each.severity, each.message]));

  test("is told of edges and of connectors' nodes, the highest claim counting", () => {
    const reports = reportNodes(made(publication("cloud-2", ["paris.e1", 2]), publication("cloud-1", ["paris.e1", 1])));
    expect(reports.map(({ name, connectedTo, holds }) => [name, connectedTo, holds])).toEqual([
      ["paris.connector", null, null],
      ["cloud-1", null, []],
      ["cloud-2", null, ["paris.e1"]],
      ["e1", "cloud-2", null],
      ["e2", null, null],
    ]);
    const lines = formatNodes(reports, plain).split("\n");
    expect(lines.map((line) => line.split(/ {3,}/)[9])).toEqual([
      "CONNECTOR",
      "-",
      "holds 0",
      "holds 1",
      "cloud-2",
      "-",
      undefined,
    ]);
    expect(reports.map((report) => formatNode(report, plain)).join("")).toContain("Connector   cloud-2\n");
    expect(reports.map((report) => formatNode(report, plain)).join("")).toContain("Holds       paris.e1\n");
  });

  test("stands at the lines of the picture", () => {
    const topology = planTopology(made(publication("cloud-2", ["paris.e1", 2])));
    expect(topology.links).toEqual([
      { from: "paris.e1", to: "paris.connector", via: "cloud-2" },
      { from: "paris.e2", to: "paris.connector", via: null },
    ]);
    expect(formatDot(topology)).toContain('"paris.e1" -- "paris.connector" [label="cloud-2",');
    expect(formatDot(topology)).toContain('"paris.e2" -- "paris.connector";');
  });

  test("is good when all are held, worth knowing when one is not, and wrong when none is", () => {
    expect(checked(publication("cloud-1", ["paris.e1", 1], ["paris.e2", 1]), publication("cloud-2"))).toEqual([
      "all 2 edge nodes are connected, to cloud-1, cloud-2",
    ]);
    expect(checked(publication("cloud-1", ["paris.e1", 1]))).toEqual([
      ["info", "Cannot see 1 of 2 edge nodes at any connector: paris.e2"],
    ]);
    expect(checked(publication("cloud-1", ["paris.other", 1]))).toEqual([
      ["degraded", "Cannot see 2 of 2 edge nodes at any connector: paris.e1, paris.e2"],
    ]);
  });

  test("is nothing to judge where no connector says anything, as FabEdge's do not", () => {
    expect(checked()).toEqual([]);
  });
});

describe("certificates", () => {
  const days = (n: number) => START + n * DAY;

  test("are told with what is wrong: one is missing, one is due, one is nobody's", async () => {
    const world = new CertificateWorld();
    world.live(START);
    const leaf = { texts: world.leaf, keyIsOnNode: false };
    const at = (wall: number) =>
      reportLeaves(
        plan(CLOUD, E1),
        new Map([
          ["fabedge/fabedge-agent-tls-e1", leaf],
          ["fabedge/fabedge-agent-tls-gone", leaf],
        ]),
        world.signer(),
        wall,
      ).map(({ secret, problem, valid }) => [secret, problem, valid]);
    expect(at(days(1))).toEqual([
      ["connector-tls", "there is none", false],
      ["fabedge-agent-tls-e1", null, true],
      ["fabedge-agent-tls-gone", "nobody needs it any more", true],
    ]);
    expect(at(days(80))[1]).toEqual(["fabedge-agent-tls-e1", "it ends at 2026-04-01T00:00:00.000Z", true]);
    expect(at(days(91))[1]).toEqual(["fabedge-agent-tls-e1", "it ends at 2026-04-01T00:00:00.000Z", false]);
    expect(wanted("paris.e1").ips).toEqual(["192.168.9.7"]);
  });
});

describe("of an authority that had ended before it was replaced", () => {
  const world = new CertificateWorld();
  world.live(START);
  const now = START + AUTHORITY_LIFE + DAY;
  world.live(now);
  const { state } = world.signer();
  const reports = reportAuthorities("fabedge-ca", state, false, now);

  test("both are listed, and the one that ended is of no use", () => {
    expect(reports.map(({ kind, problem, valid }) => [kind, problem, valid])).toEqual([
      ["authority", null, true],
      ["previous authority", "it has ended", false],
    ]);
  });

  test("the check says once what is left to do", () => {
    const options = { settings: makeOperatorSettings({}), authoritySecret: "fabedge-ca" };
    expect(judgeCertificates(reports, reportAuthority(state, [], now), options)).toMatchObject([
      { ok: false, component: "certs", code: "AUTHORITY_REPLACED", hint: expect.stringContaining("join tokens") },
    ]);
  });
});

describe("the check", () => {
  const codes = (results: ReturnType<typeof judgePlan>) => results.map((each) => (each.ok ? "ok" : each.code));

  test("tells definitions that are missing, FabEdge's, and ours", () => {
    const judge = (...names: string[]) => codes(judgeDefinitions(new Set(names), undefined));
    expect(judge()).toEqual(["CRD_MISSING"]);
    expect(judge("communities", "clusters")).toEqual(["CRD_OUTDATED"]);
    expect(judge("communities", "communities/status", "clusters", "clusters/status")).toEqual(["ok"]);
    expect(codes(judgeExports(new Set()))).toEqual(["CRD_MISSING"]);
    expect(judgeExports(new Set(["globalservices"]))).toEqual([]);
  });

  test("doubts addresses of the connector that lead nowhere, and a connector with nothing behind it", () => {
    const judge = (publicAddresses: readonly string[], ...objects: Parameters<typeof planObjects>[1]) => {
      const { connector } = makeOperatorSettings();
      const settings: OperatorSettings = makeOperatorSettings({ connector: { ...connector, publicAddresses } });
      return judgeConnector(planObjects(settings, objects));
    };
    expect(codes(judge(["198.51.100.1", "2001:db8::1", "vpn.example.org", "10.0.0.1"], CLOUD))).toEqual(["ok"]);
    for (const bad of ["127.0.0.1", "localhost", "169.254.1.1", "::1", "fe80::1", "0.0.0.0", "::"]) {
      expect(judge([bad, "198.51.100.1"], CLOUD)).toMatchObject([{ code: "CONNECTOR_ADDRESS", severity: "degraded" }]);
      expect(judge([bad], CLOUD)).toMatchObject([{ severity: "failed" }]);
    }
    expect(codes(judge(["198.51.100.1"], E1))).toEqual(["CONNECTOR_EMPTY"]);
  });

  test("repeats what the plan finds wrong with nodes and communities", () => {
    expect(codes(judgePlan(plan(CLOUD, E1)))).toEqual(["ok"]);
    expect(codes(judgePlan(plan(CLOUD, edgeNode("bare"), community("c", ["paris.x"]))))).toContain("COMMUNITY_ALONE");
  });
});

describe("images", () => {
  test("agents with the same arguments are one line, without their nodes' names and tokens", () => {
    const pod = (node: string): Workload => ({
      ...{ kind: "Pod", name: `fabedge-agent-${node}`, controller: "Node", node, serviceAccount: "default" },
      labels: { "fabedge.io/app": "fabedge-agent" },
      containers: [
        {
          ...{ name: "agent", image: "selvedge:1", environment: {} },
          args: ["run", `--node-name=${node}`, "--multicast-token=secret", "--log-level=5"],
        },
      ],
    });
    const kept: Workload = { ...pod("e3"), controller: "DaemonSet" };
    expect(reportImages([pod("e1"), pod("e2"), kept])).toMatchObject([
      { count: 2, role: "agent", arguments: ["run", "--multicast-token=…", "--log-level=5"] },
    ]);
  });

  test("tell connectors and node-agents, with what stands beside them, from what is FabEdge's", () => {
    const made = (name: string, ...containers: readonly (readonly [image: string, ...args: string[]])[]): Workload => ({
      ...{ kind: "DaemonSet", name, controller: undefined, node: "", serviceAccount: "default", labels: {} },
      containers: containers.map(([image, ...args], i) => ({ name: `${name}-${i}`, image, args, environment: {} })),
    });
    const reports = reportImages([
      made("a", ["selvedge/selvedge-cloud:1", "connector", "--cluster=paris"], ["selvedge/strongswan:1"]),
      made("b", ["selvedge/selvedge-cloud:1", "node-agent"]),
      made("c", ["fabedge/connector:v1.0.0"], ["fabedge/strongswan:5.9.9"]),
      made("d", ["selvedge/selvedge-cloud:1", "operator", "--cluster=paris"], ["nginx:1"]),
    ]);
    expect(reports.map(({ container, role }) => `${container} ${role}`)).toEqual([
      ...[
        "a-0 connector",
        "a-1 connector",
        "b-0 node-agent",
        "c-0 FabEdge's",
        "c-1 other",
        "d-0 operator",
        "d-1 other",
      ],
    ]);
  });
});
