import { errorText } from "../../src/base/errors.ts";
import type { Condition } from "../../src/base/health.ts";
import { formatPrefix, type Prefix } from "../../src/base/ip.ts";
import type { InformerStatus } from "../../src/kube/informer.ts";
import type { KernelState } from "./kernel.ts";
import type { EdgePlan } from "./plan.ts";

export type Trouble = Pick<Condition, "code" | "severity" | "message" | "hint">;

/** The codes that each of the judgements below can give, so that what is over is cleared. */
export const TROUBLES = {
  hearing: ["CONNECTORS_UNHEARD", "CONNECTORS_DOUBTED", "PUBLICATION_UNREADABLE"],
  edges: ["EDGE_PREFIX_TWICE", "EDGE_PREFIX_REFUSED"],
  kernel: ["CONNECTOR_UNREACHED", "ROUTE_BLOCKED", "ROUTE_REFUSED", "FORWARD_DROPPED"],
} as const;

/** Examples in one sentence. */
const NAMED = 3;

/** @param doubted the first list of this run lacks most of what the kernel has routes for */
export function judgeHearing({ connected, error, heldDeletions, rejected }: InformerStatus, doubted: boolean) {
  const troubles: Trouble[] = [];
  if (!connected && error !== undefined) {
    troubles.push({
      code: "CONNECTORS_UNHEARD",
      severity: "degraded",
      message: `Cannot hear who holds which edge as the API server does not answer: ${errorText(error)}`,
      hint: "Routes stay as they are; an edge that goes to another connector meanwhile is reached again once it answers.",
    });
  }
  if (doubted || heldDeletions > 0) {
    troubles.push({
      code: "CONNECTORS_DOUBTED",
      severity: "info",
      message:
        "Cannot believe the list of connectors at once as it lacks most of what was known: it is asked for again",
      hint: "Nothing, if connectors were removed; else see why their ConfigMaps are gone. Routes stay until it is sure.",
    });
  }
  const [first] = rejected;
  if (first !== undefined) {
    const [key, { at, why }] = first;
    troubles.push({
      code: "PUBLICATION_UNREADABLE",
      severity: "degraded",
      message: `Cannot read what a connector publishes as ${at === "" ? "it" : at} is wrong in ConfigMap ${key}: ${why}`,
      hint: "Upgrade the older one of connector and node-agent. What it said before counts.",
    });
  }
  return troubles;
}

export function judgeEdges({ doubled, refused }: EdgePlan): readonly Trouble[] {
  const troubles: Trouble[] = [];
  if (doubled.length > 0) {
    troubles.push({
      code: "EDGE_PREFIX_TWICE",
      severity: "degraded",
      message: `Cannot reach every edge as two have the same prefix: ${some(doubled)}`,
      hint: "Give the nodes different pod networks; until then the one whose name comes first is reached.",
    });
  }
  if (refused.length > 0) {
    troubles.push({
      code: "EDGE_PREFIX_REFUSED",
      severity: "degraded",
      message: `Cannot route a prefix to an edge as addresses of the cloud's nodes or pods are in it: ${some(refused)}`,
      hint: "Give that node a pod network which is not the cloud's.",
    });
  }
  return troubles;
}

export function judgeKernel({ unreached, blocked, failures, dropping }: KernelState): readonly Trouble[] {
  const troubles: Trouble[] = [];
  if (unreached.length > 0) {
    troubles.push({
      code: "CONNECTOR_UNREACHED",
      severity: "degraded",
      message: `Cannot reach edges by a connector as this node has no route to its pods: ${named(unreached)}`,
      hint: "See why the pod network (flannel, Calico) has no route to that node; its edges are unreachable meanwhile.",
    });
  }
  if (blocked.length > 0) {
    troubles.push({
      code: "ROUTE_BLOCKED",
      severity: "degraded",
      message: `Cannot write a route as another program has one to the same destination in table 220: ${named(blocked)}`,
      hint: "End FabEdge's cloud-agent on this node, then remove its routes with `ip route flush table 220 proto boot`.",
    });
  }
  const [failure] = failures;
  if (failure !== undefined) {
    troubles.push({
      code: "ROUTE_REFUSED",
      severity: "degraded",
      message: `${errorText(failure)}${failures.length > 1 ? `, and ${failures.length - 1} more` : ""}`,
      hint: "It is tried again each minute, and when the node's routes or links change.",
    });
  }
  if (dropping.length > 0) {
    troubles.push({
      code: "FORWARD_DROPPED",
      severity: "info",
      message: `Cannot say whether pods and edges reach each other as another program drops what is forwarded, and no rule of its own surely lets edges' packets pass both ways: ${named(dropping)}`,
      hint: "If they do not, let the edges' pod networks pass there: docker takes rules in DOCKER-USER, ufw by `ufw route allow`.",
    });
  }
  return troubles;
}

function some(prefixes: readonly Prefix[]): string {
  return named(prefixes.map(formatPrefix));
}

function named(all: readonly string[]): string {
  const rest = all.length - NAMED;
  return all.slice(0, NAMED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
