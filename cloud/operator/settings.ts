import type { Prefix } from "../../src/base/ip.ts";

export const AGENT_MODES = ["host", "pod"] as const;
/** host: a unit of systemd on the node; pod: a pod that the operator keeps there. */
export type AgentMode = (typeof AGENT_MODES)[number];

/** Where the pod networks of edge nodes come from while Calico does not serve them. */
export interface EdgePool {
  readonly cidr: Prefix;
  /** Prefix length of the part that a node gets. */
  readonly blockLength: number;
}

/** Zone and region of a cluster of which nobody says where it is: FabEdge's. */
export const DEFAULT_PLACE = "default";

/** What whoever installs the operator decides. Text has been read and is valid; `checkSettings` says what contradicts. */
export interface OperatorSettings {
  readonly cluster: string;
  readonly role: "host" | "member";
  /** Where this cluster is: clients of services in several clusters prefer their own zone, then their own region. */
  readonly zone: string;
  readonly region: string;
  /** Where ConfigMaps, Secrets and Pods live. */
  readonly namespace: string;
  readonly cni: "flannel" | "calico";
  readonly clusterCidrs: readonly Prefix[];
  readonly connector: {
    /** Networks of services; they come first among what is behind the connector. */
    readonly subnets: readonly Prefix[];
    readonly publicAddresses: readonly string[];
    readonly publicPort: number;
    /** Edge nodes punch holes with the connector's help. */
    readonly mediator: boolean;
  };
  /** A node with all of these is an edge node. */
  readonly edgeLabels: Readonly<Record<string, string>>;
  /** One for each family; empty with flannel. */
  readonly edgePools: readonly EdgePool[];
  readonly keepIpPools: boolean;
  /** With "{node}" where the endpoint's name goes. */
  readonly endpointIdFormat: string;
  readonly certificateOrganization: string;
  readonly agent: {
    readonly mode: AgentMode;
    readonly image: string;
    readonly strongswanImage: string;
    readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
    /** Names of Secrets in the operator's namespace. */
    readonly imagePullSecrets: readonly string[];
    /** For every agent, by name without dashes. */
    readonly arguments: Readonly<Record<string, string>>;
  };
}
