import { formatTable } from "../../src/cli/table.ts";
import { AGENT_APP, APP_LABEL } from "../operator/object-names.ts";
import { isOperator } from "./installed-operator.ts";
import type { Container, Workload } from "./workloads.ts";

export interface ImageReport {
  /** "Deployment/fabedge-operator"; pods that stand for a node each count together. */
  readonly workload: string;
  readonly container: string;
  readonly image: string;
  readonly role: "operator" | "connector" | "node-agent" | "agent" | "FabEdge's" | "other";
  /** How many objects have this. */
  readonly count: number;
  /** Of an agent, those that this group of pods has in common. */
  readonly arguments: readonly string[];
}

/** FabEdge's programs, by the image that its chart names; its strongSwan is ours in pod mode. */
const FABEDGE_IMAGE = /(?:^|\/)fabedge\/(?!strongswan\b)/;

/** What the namespace's objects name. A Pod that a Deployment or DaemonSet keeps says nothing new. */
export function reportImages(workloads: readonly Workload[]): readonly ImageReport[] {
  const groups = new Map<string, ImageReport>();
  for (const workload of workloads) {
    if (workload.controller === "ReplicaSet" || workload.controller === "DaemonSet") continue;
    for (const container of workload.containers) {
      const report = reportContainer(workload, container);
      const key = JSON.stringify(report);
      groups.set(key, { ...report, count: (groups.get(key)?.count ?? 0) + 1 });
    }
  }
  return [...groups.values()].sort(
    (a, b) => compare(a.workload, b.workload) || compare(a.container, b.container) || compare(a.image, b.image),
  );
}

function reportContainer(workload: Workload, container: Container): ImageReport {
  const isAgent = isAgentPod(workload);
  return {
    workload: `${workload.kind}/${isAgent ? `${AGENT_APP}-*` : workload.name}`,
    container: container.name,
    image: container.image,
    role: roleOf(workload, container),
    count: 0,
    arguments: isAgent ? container.args.flatMap(commonArgument) : [],
  };
}

function isAgentPod({ labels }: Workload): boolean {
  return labels[APP_LABEL] === AGENT_APP;
}

function roleOf(workload: Workload, container: Container): ImageReport["role"] {
  if (isOperator(container)) return "operator";
  if (FABEDGE_IMAGE.test(container.image)) return "FabEdge's";
  if (isAgentPod(workload)) return "agent";
  // What stands beside our program, as charon does, is of its role.
  const commands = workload.containers.map(({ args }) => args[0]);
  return (["connector", "node-agent"] as const).find((role) => commands.includes(role)) ?? "other";
}

/** Not what differs from node to node, nor what is nobody's to read over a shoulder. */
function commonArgument(word: string): readonly string[] {
  if (word.startsWith("--node-name=")) return [];
  return [word.replace(/^(--[a-z-]*token)=.*$/s, "$1=…")];
}

export function formatImages(reports: readonly ImageReport[]): string {
  const rows = reports.map(({ workload, container, image, role, count, arguments: words }) => [
    workload,
    container,
    role,
    String(count),
    image,
    words.join(" "),
  ]);
  return formatTable(["WORKLOAD", "CONTAINER", "WHOSE", "COUNT", "IMAGE", "ARGUMENTS"], rows);
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
