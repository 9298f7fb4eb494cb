import type { ClusterNode } from "../../src/network/cluster-node.ts";
import { parsePublicAddress } from "../../src/network/public-address.ts";
import {
  AGENT_MODE_LABEL,
  connectorName,
  endpointName,
  NODE_NAME_MAX,
  PUBLIC_ADDRESSES_ANNOTATION,
} from "./object-names.ts";
import type { Problem } from "./problem.ts";
import { AGENT_MODES, type AgentMode, type OperatorSettings } from "./settings.ts";

/** Every peer gets all of them, and charon tries one after the other. */
export const PUBLIC_ADDRESSES_LIMIT = 8;

/** A node with all of the labels is an edge node. */
export function isEdgeNode(node: ClusterNode, settings: OperatorSettings): boolean {
  return Object.entries(settings.edgeLabels).every(([key, value]) => node.labels[key] === value);
}

export function readAgentMode(
  node: ClusterNode,
  settings: OperatorSettings,
): { readonly mode: AgentMode; readonly problems: readonly Problem[] } {
  const label = node.labels[AGENT_MODE_LABEL] ?? "";
  const mode = saidAgentMode(node);
  if (mode !== undefined || label === "") return { mode: mode ?? settings.agent.mode, problems: [] };
  const problem: Problem = {
    code: "AGENT_MODE_UNKNOWN",
    severity: "degraded",
    message: `Cannot run the agent of node ${node.name} as its label ${AGENT_MODE_LABEL} asks: current value is ${JSON.stringify(label)}`,
    hint: `Set the label to ${AGENT_MODES.join(" or ")}, or remove it; until then the default is taken.`,
  };
  return { mode: settings.agent.mode, problems: [problem] };
}

/**
 * An agent that this operator has not made runs on until the node itself says how its agent is to run: the default
 * would end the agents of all nodes at once.
 */
export function checkForeignAgent(name: string, node: ClusterNode | undefined): Problem | undefined {
  if (node !== undefined && saidAgentMode(node) !== undefined) return undefined;
  return {
    code: "FABEDGE_AGENT",
    severity: "info",
    message: `Node ${name} still runs FabEdge's agent`,
    hint: `Set its label ${AGENT_MODE_LABEL} to ${AGENT_MODES.join(" or ")} to move it; until then its pod is left alone.`,
  };
}

function saidAgentMode(node: ClusterNode): AgentMode | undefined {
  return AGENT_MODES.find((mode) => mode === node.labels[AGENT_MODE_LABEL]);
}

/** Where peers reach the node: what its annotation says, or its own addresses. */
export function readPublicAddresses(node: ClusterNode): {
  readonly addresses: readonly string[];
  readonly problems: readonly Problem[];
} {
  const text = node.annotations[PUBLIC_ADDRESSES_ANNOTATION] ?? "";
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const read = parts.map(parsePublicAddress);
  const all = [...new Set(read.flatMap((address) => (address.ok ? [address.value] : [])))];
  const addresses = all.slice(0, PUBLIC_ADDRESSES_LIMIT);
  const wrong = parts.find((_, i) => read[i]?.ok === false);
  const fallback = addresses.length === 0 ? node.internalIps : addresses;
  const problems: Problem[] = [];
  if (wrong !== undefined || all.length > addresses.length) {
    const why =
      wrong === undefined
        ? `it has more than ${PUBLIC_ADDRESSES_LIMIT} addresses`
        : `${JSON.stringify(wrong.slice(0, 64))} is neither an address nor a host name`;
    problems.push({
      code: "PUBLIC_ADDRESS_MALFORMED",
      severity: "degraded",
      message: `Cannot use all of ${PUBLIC_ADDRESSES_ANNOTATION} of node ${node.name} as ${why}`,
      hint: `Correct or remove the annotation; until then peers use ${fallback.join(", ") || "none"}.`,
    });
  }
  return { addresses: fallback, problems };
}

/** Why a node cannot be an endpoint, whatever its subnets are. */
export function checkEdgeNode(node: ClusterNode, settings: OperatorSettings): readonly Problem[] {
  const problems: Problem[] = [];
  const reserved = connectorName(settings.cluster);
  if (endpointName(settings.cluster, node.name) === reserved || node.name.length > NODE_NAME_MAX) {
    problems.push({
      code: "NODE_NAME_UNUSABLE",
      severity: "failed",
      message: `Cannot connect node ${node.name} as its name is the connector's (${reserved}) or has more than ${NODE_NAME_MAX} characters`,
      hint: "Join the node to the cluster again under another name.",
    });
  }
  if (node.internalIps.length === 0) {
    problems.push({
      code: "INTERNAL_IP_MISSING",
      severity: "failed",
      message: `Cannot connect node ${node.name} as its status has no address of type InternalIP`,
      hint: "Start the node's kubelet or edgecore with --node-ip, or wait until the node has reported its addresses.",
    });
  }
  return problems;
}
