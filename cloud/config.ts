import { parseIp } from "../src/base/ip.ts";
import { fail, ok, type Result } from "../src/base/result.ts";

/** What the command line asks for. */
export type CloudCommand =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** What else stands there is about planning. */
  | {
      readonly kind: "hub";
      readonly folder: string;
      readonly listen: ListenAddress;
      readonly words: readonly string[];
    }
  /** Their arguments are read where they are meant. */
  | { readonly kind: "operator" | "connector" | "node-agent" | "token"; readonly words: readonly string[] };

export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

export interface UsageError {
  /** usage: the command line is not understood; config: a value in it cannot be. */
  readonly kind: "usage" | "config";
  readonly message: string;
}

/** Where the hub listens unless it is told: this machine only, since it asks nobody who they are. */
export const HUB_LISTEN: ListenAddress = { hostname: "127.0.0.1", port: 8880 };

/** Where the hub keeps what is in no manifest. */
export const HUB_STATE = "/var/lib/selvedge-cloud";

export const HELP = `Serves edge nodes from the cloud's side.

Usage:
  selvedge-cloud hub --manifests DIR [--listen ADDR[:PORT]] [--cluster NAME [OPTION…]]
  selvedge-cloud operator --cluster NAME --cni-type flannel|calico --cluster-cidr CIDR,…
                          --connector-public-addresses ADDR,… [OPTION…]
  selvedge-cloud connector [--node-name NAME] [OPTION…]
  selvedge-cloud node-agent [--node-name NAME] [OPTION…]
  selvedge-cloud node-agent cleanup [--dry-run]
  selvedge-cloud token create NODE [--expires 24h] [--server https://HOST:PORT] [-o json]
  selvedge-cloud token list | delete NODE
  selvedge-cloud nodes [NAME…] | topology | certs | check | images [OPTION…]
  selvedge-cloud version
  selvedge-cloud --help

hub serves a folder of manifests (*.yaml, *.yml, *.json) as a Kubernetes API that can be listed and watched, and
follows its changes. Agents use it with: selvedge run --source=hub --source-url=http://ADDR:PORT

  --manifests DIR       The folder. A file that is wrong keeps what it said when it was last right.
  --listen ADDR[:PORT]  Default ${HUB_LISTEN.hostname}:${HUB_LISTEN.port}. Plain HTTP without authentication: reach for
                        loopback, or a network where everybody may read the manifests.

With --cluster it is an operator without a cluster: it works out from the folder's Nodes, Communities and Clusters what
every node must do, with the operator's options, and serves the ConfigMaps and Secrets beside the folder's objects.
A Node's addresses and podCIDRs are what its manifest says; with --edge-pod-cidr and calico they are given out here.
Private keys leave it over loopback only; other nodes make their own and join.

  --state-dir DIR       The authority, keys and given subnets. Default ${HUB_STATE}. Only its user may open it.
  --join-listen [ADDR]:PORT, --join-addresses ADDR,…
                        Where nodes join with a token, as with the operator.

operator works out from a cluster's Nodes, Communities and Clusters what every node must do, and writes it into
ConfigMaps and Secrets. Any number of it may run; one leads. Its options are FabEdge's:

  --cluster-role host|member           Default host, which signs certificates.
  --namespace NAME                     Where it writes. Default fabedge.
  --connector-subnets CIDR,…           Networks of services.
  --connector-public-port PORT         Default 500.
  --connector-as-mediator              Edge nodes punch holes with the connector's help.
  --edge-labels KEY=VALUE,…            A node with all of them is an edge node. Default node-role.kubernetes.io/edge=.
  --edge-pod-cidr CIDR, --edge-cidr-mask-size N
  --edge-pod-cidr6 CIDR, --edge-cidr-mask-size6 N
                                       With calico: where pods of edge nodes get their addresses, N bits a node.
  --auto-keep-ippools=BOOL             With calico: keep it from masquerading to other clusters. Default true.
  --endpoint-id-format TEXT, --cert-organization NAME
                                       Identities. Default C=CN, O=fabedge.io, CN={node}.
  --ca-secret NAME                     Default fabedge-ca.
  --agent-mode host|pod                Unless the node's label selvedge.io/agent-mode says otherwise. Default host.
  --agent-image, --agent-strongswan-image, --agent-image-pull-policy, --agent-image-pull-secrets NAME,…
                                       In pod mode.
  --leader-election-id NAME, --leader-lease-duration, --leader-renew-deadline, --leader-retry-period
                                       Default fabedge-operator-leader, 15s, 10s, 2s.
  --kubeconfig FILE                    Default: the service account of the pod.
  --join-listen [ADDR]:PORT            Where nodes join with a token. Default: nowhere.
  --join-addresses ADDR,…              Under which nodes reach it, besides the connector's.
  --http-bind [ADDR]:PORT              /livez, /readyz and /metrics. Default :8081.
  --log-level LEVEL                    debug, info, warn or error. Default info.

Variables AGENT_ARG_NAME=VALUE are arguments of every agent.

connector lets edge nodes in by IPsec, beside a charon of its own: one runs on each node that is labelled for it, and
edges spread over them. It tells the cluster whom it holds.

  --node-name NAME                     The Kubernetes node's. Default: the variable NODE_NAME.
  --namespace NAME                     The operator's. Default fabedge.
  --cni-type flannel|calico            Default flannel.
  --vici-socket PATH                   charon's. Default /run/selvedge/charon/charon.vici.
  --state-dir DIR                      What it has heard, keys included, for when it starts without an API server.
                                       Default /run/selvedge-connector/state. Only its user may open it.
  --kubeconfig FILE                    Default: the service account of the pod.
  --http-bind [ADDR]:PORT              /livez, /readyz and /metrics. Default 127.0.0.1:8082.
  --log-level LEVEL                    Default info.

node-agent keeps the routes to edge nodes on every other node of the cloud, by what the connectors publish, and keeps
addresses between pods there and pods of edges as they are. cleanup takes all that back.

  --node-name NAME                     Default: the variable NODE_NAME.
  --namespace NAME                     Where the connectors publish. Default fabedge.
  --kubeconfig FILE                    Default: the service account of the pod.
  --http-bind [ADDR]:PORT              /livez, /readyz and /metrics. Default 127.0.0.1:8083.
  --log-level LEVEL                    debug, info, warn or error. Default info.

token lets one node in once: create prints the line to run there, with which the node makes its own key and gets a
certificate for it. The key stays on the node. Only a hash of the token is kept.

  --expires DURATION                   Default 24h.
  --server https://HOST:PORT           Where nodes reach the operator. Default: the connector's first public address,
                                       and the node port of the Service that has a port named join.
  -n, --namespace NAME, --ca-secret NAME
                                       The operator's. Default fabedge, fabedge-ca.
  --state-dir DIR                      The hub's, for a node of a hub; then --server is needed.
  --kubeconfig FILE                    Default: $KUBECONFIG, ~/.kube/config, the service account of the pod.
  -o, --output text|json               Default text.

nodes, topology, certs, check and images show a cluster to a person; each has its own --help. Under the name
kubectl-selvedge, in a folder of the PATH, this program is a plugin: kubectl selvedge nodes.

Examples:
  selvedge-cloud hub --manifests /etc/selvedge/manifests
  selvedge-cloud hub --manifests ./manifests --listen 10.0.0.1:8880
  selvedge-cloud operator --cluster paris --cni-type flannel --cluster-cidr 10.1.0.0/16 \\
    --connector-public-addresses 198.51.100.1 --join-listen :3030
  selvedge-cloud token create edge-1

Exit status: 0 ended by a signal, 1 failed, 2 wrong command line, 78 wrong configuration. What shows a
cluster exits as selvedge does: 3 something is wrong, 4 the API server cannot be reached, 5 a permission is lacking.
`;

/** @param words the arguments after the program's name */
export function parseCommandLine(words: readonly string[]): Result<CloudCommand, UsageError> {
  const [command, ...rest] = words;
  if (words.includes("--help") || words.includes("-h") || command === "help") return ok({ kind: "help" });
  if (command === "version" || command === "--version") return ok({ kind: "version" });
  if (command === undefined) return usage("a command is missing");
  if (command === "operator" || command === "connector" || command === "node-agent" || command === "token")
    return ok({ kind: command, words: rest });
  if (command !== "hub") return usage(`there is no command "${command}"`);
  return parseHub(rest);
}

function parseHub(words: readonly string[]): Result<CloudCommand, UsageError> {
  let folder: string | undefined;
  let listen = HUB_LISTEN;
  const others: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const [name = "", inline] = splitOnce(word, "=");
    if (name !== "--manifests" && name !== "--listen") {
      others.push(word);
      continue;
    }
    if (inline === undefined) i += 1;
    const value = inline ?? words[i];
    if (value === undefined || value === "") return usage(`${name} needs a value`);
    if (name === "--manifests") {
      folder = value;
      continue;
    }
    const address = parseListen(value);
    if (address === undefined) {
      const message = `--listen is an address with or without a port, such as 127.0.0.1:8880: current value is ${value}`;
      return fail({ kind: "config", message });
    }
    listen = address;
  }
  return folder === undefined ? usage("hub needs --manifests DIR") : ok({ kind: "hub", folder, listen, words: others });
}

/** "127.0.0.1", "127.0.0.1:8880", "[::1]:8880", "::1", ":8880" for every address. */
function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text);
  const host = match === null ? text : (match[1] ?? match[2] ?? "");
  const port = match?.[3] === undefined ? HUB_LISTEN.port : Number(match[3]);
  if (port > 65_535) return undefined;
  if (host === "") return match?.[3] === undefined ? undefined : { hostname: "::", port };
  if (host === "localhost") return { hostname: "127.0.0.1", port };
  const ip = parseIp(host);
  return ip.ok ? { hostname: ip.value, port } : undefined;
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function usage(message: string): Result<never, UsageError> {
  return fail({ kind: "usage", message });
}
