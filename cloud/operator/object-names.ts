import { fnv1a } from "./fnv.ts";

/** The names that FabEdge gave to things. An installation of it is taken over by them. */
export const SUBNETS_ANNOTATION = "fabedge.io/subnets";
export const PUBLIC_ADDRESSES_ANNOTATION = "fabedge.io/node-public-addresses";
export const ARGUMENT_ANNOTATION_PREFIX = "argument.fabedge.io/";

/** How the agent runs on this node: "host" or "pod". */
export const AGENT_MODE_LABEL = "selvedge.io/agent-mode";
/** Of a certificate's Secret; its value "node": the node has made its private key itself, and nobody else has it. */
export const KEY_LABEL = "selvedge.io/private-key";
/** What only this operator puts on its agent pods: in every other label they are like FabEdge's. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "selvedge-operator";

export const APP_LABEL = "fabedge.io/app";
export const NAME_LABEL = "fabedge.io/name";
export const NODE_LABEL = "fabedge.io/node";
export const CLUSTER_LABEL = "fabedge.io/cluster";
export const POD_HASH_LABEL = "fabedge.io/pod-spec-hash";

export const AGENT_APP = "fabedge-agent";

export const TUNNELS_FILE = "tunnels.yaml";
/** Settings of an agent in host mode, in the format of its own settings file. */
export const ARGUMENTS_FILE = "config.yaml";

export const MEDIATOR = "mediator";

const CONFIG_PREFIX = "fabedge-agent-config-";
/** RFC 1123 subdomain, less the longest prefix that we put before it. */
export const NODE_NAME_MAX = 253 - CONFIG_PREFIX.length;
/** A label's value (Kubernetes' validation). */
const LABEL_VALUE_MAX = 63;

export function agentConfigName(node: string): string {
  return `${CONFIG_PREFIX}${node}`;
}

export function agentTlsName(node: string): string {
  return `fabedge-agent-tls-${node}`;
}

export function agentPodLabel(node: string): string {
  return labelValue(`${AGENT_APP}-${node}`);
}

/** The text itself, or, where that is too long for a label, its beginning and a hash. */
export function labelValue(text: string): string {
  if (text.length <= LABEL_VALUE_MAX) return text;
  return `${text.slice(0, LABEL_VALUE_MAX - 9)}-${fnv1a(text).toString(16).padStart(8, "0")}`;
}

export function connectorName(cluster: string): string {
  return `${cluster}.connector`;
}

export function endpointName(cluster: string, node: string): string {
  return `${cluster}.${node}`;
}
