import { describe, expect, test } from "bun:test";
import { reportLeaves } from "../../../../cloud/cli/certificate-report.ts";
import { judgeConnector, judgePlan } from "../../../../cloud/cli/cluster-check.ts";
import { judgeDefinitions } from "../../../../cloud/cli/definition-check.ts";
import { reportImages } from "../../../../cloud/cli/image-report.ts";
import { formatNode, formatNodes, reportNodes } from "../../../../cloud/cli/node-report.ts";
import { planObjects } from "../../../../cloud/cli/planned-cluster.ts";
import type { Workload } from "../../../../cloud/cli/workloads.ts";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { plain } from "../../../../src/cli/table.ts";
import { CertificateWorld, DAY, START, wanted } from "../../../support/certificate-world.ts";
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

describe("the check", () => {
  const codes = (results: ReturnType<typeof judgePlan>) => results.map((each) => (each.ok ? "ok" : each.code));

  test("tells definitions that are missing, FabEdge's, and ours", () => {
    const judge = (...names: string[]) => codes(judgeDefinitions(new Set(names), undefined));
    expect(judge()).toEqual(["CRD_MISSING"]);
    expect(judge("communities", "clusters")).toEqual(["CRD_OUTDATED"]);
    expect(judge("communities", "communities/status", "clusters", "clusters/status")).toEqual(["ok"]);
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
});
