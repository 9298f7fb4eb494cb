import { formatPrefix } from "../../src/base/ip.ts";
import { formatTable, type Paint, printable } from "../../src/cli/table.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import { endpointName } from "../operator/object-names.ts";
import type { Problem } from "../operator/problem.ts";
import type { AgentMode } from "../operator/settings.ts";
import type { ClusterPlan } from "./planned-cluster.ts";

/** A node, or the connector, as the plan sees it. */
export interface NodeReport {
  readonly name: string;
  /** Empty for what is no endpoint by itself. */
  readonly endpoint: string;
  readonly role: "edge" | "connector" | "cloud";
  /** How an edge node's agent runs. */
  readonly mode: AgentMode | null;
  readonly ready: boolean;
  readonly publicAddresses: readonly string[];
  readonly nodeAddresses: readonly string[];
  readonly podCidrs: readonly string[];
  readonly communities: readonly string[];
  readonly peers: readonly string[];
  /** Of an edge: the node of the connector that it is connected to. */
  readonly connectedTo: string | null;
  /** Of a connector's node: the edges that are connected to it; null: no connector says so. */
  readonly holds: readonly string[] | null;
  readonly problems: readonly Problem[];
}

/** The connector first, then nodes by name. */
export function reportNodes(plan: ClusterPlan): readonly NodeReport[] {
  const memberships = communitiesByMember(plan);
  return [reportConnector(plan, memberships), ...plan.nodes.map((node) => reportNode(plan, memberships, node))];
}

type Memberships = ReadonlyMap<string, readonly string[]>;

function communitiesByMember({ communities }: ClusterPlan): Memberships {
  const found = new Map<string, string[]>();
  for (const { name, members } of communities) {
    for (const member of new Set(members)) found.set(member, [...(found.get(member) ?? []), name]);
  }
  return found;
}

function reportConnector({ planner }: ClusterPlan, memberships: Memberships): NodeReport {
  const { name, publicAddresses, nodeSubnets, subnets } = planner.connector;
  return {
    name,
    endpoint: name,
    role: "connector",
    mode: null,
    ready: nodeSubnets.length > 0,
    publicAddresses,
    nodeAddresses: nodeSubnets,
    podCidrs: subnets.map(formatPrefix),
    communities: memberships.get(name) ?? [],
    peers: planner.peersOf(name),
    connectedTo: null,
    holds: null,
    problems: [],
  };
}

function reportNode(plan: ClusterPlan, memberships: Memberships, node: ClusterNode): NodeReport {
  const { planner, settings, holders } = plan;
  const { name } = node;
  const edge = planner.edge(name);
  const problems = planner.problems(`Node/${name}`);
  const endpoint = edge === undefined ? "" : endpointName(settings.cluster, name);
  return {
    name,
    endpoint,
    role: edge === undefined ? "cloud" : "edge",
    mode: edge?.mode ?? null,
    ready: edge === undefined ? !problems.some(({ severity }) => severity === "failed") : edge.endpoint !== undefined,
    publicAddresses: edge?.endpoint?.publicAddresses ?? [],
    nodeAddresses: node.internalIps,
    podCidrs: planner.podSubnets(name).map(formatPrefix),
    communities: edge === undefined ? [] : (memberships.get(endpoint) ?? []),
    peers: edge === undefined ? [] : planner.peersOf(endpoint),
    connectedTo: holders.get(endpoint)?.connector.node ?? null,
    holds: edgesHeldBy(plan, name),
    problems,
  };
}

function edgesHeldBy({ publications, holders }: ClusterPlan, node: string): readonly string[] | null {
  if (!publications.some((publication) => publication.node === node)) return null;
  return [...holders].flatMap(([edge, { connector }]) => (connector.node === node ? [edge] : [])).sort();
}

export function formatNodes(reports: readonly NodeReport[], paint: Paint): string {
  const rows = reports.map((report) => [
    report.name,
    report.role,
    report.mode ?? "-",
    yes(report, paint),
    list(report.publicAddresses),
    list(report.nodeAddresses),
    list(report.podCidrs),
    list(report.communities),
    report.role === "cloud" ? "-" : String(report.peers.length),
    report.holds === null ? (report.connectedTo ?? "-") : `holds ${report.holds.length}`,
    report.problems.map(({ code }) => code).join(","),
  ]);
  return formatTable(
    ["NAME", "ROLE", "MODE", "READY", "PUBLIC", "ADDRESSES", "POD-CIDRS", "COMMUNITIES", "PEERS", "CONNECTOR", "WHY"],
    rows,
  );
}

/** Everything about one. */
export function formatNode(report: NodeReport, paint: Paint): string {
  const lines: readonly (readonly [string, string])[] = [
    ["Name", report.name],
    ["Endpoint", report.endpoint || "-"],
    ["Role", report.mode === null ? report.role : `${report.role}, its agent in ${report.mode} mode`],
    ["Ready", yes(report, paint)],
    ["Public", list(report.publicAddresses)],
    ["Addresses", list(report.nodeAddresses)],
    ["Pod CIDRs", list(report.podCidrs)],
    ["Communities", list(report.communities)],
    ["Peers", list(report.peers)],
    ...(report.role === "edge" ? [["Connector", report.connectedTo ?? "-"] as const] : []),
    ...(report.holds === null ? [] : [["Holds", list(report.holds)] as const]),
  ];
  const problems = report.problems.flatMap(({ code, message, hint }) => [code, `  ${message}`, `  ${hint}`]);
  return [
    ...lines.map(([title, text]) => `${paint("bold", title.padEnd(12))}${printable(text)}`),
    ...problems.map(printable),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function yes({ ready }: NodeReport, paint: Paint): string {
  return ready ? paint("green", "yes") : paint("red", "no");
}

function list(texts: readonly string[]): string {
  return texts.join(",") || "-";
}
