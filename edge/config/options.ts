import type { Ip } from "../../src/base/ip.ts";
import {
  address,
  boolean,
  choice,
  domainName,
  file,
  integer,
  interfaceName,
  listOf,
  network,
  networkName,
  optional,
  path,
  placeName,
  socketAddress,
  url,
  type ValueType,
} from "./value-type.ts";

/** Groups of settings with their headings, in the order of help and file. */
export const OPTION_GROUPS = {
  node: "This node",
  source: "Where services and endpoints come from",
  services: "Services",
  names: "Names",
  pods: "Pods",
  fabric: "This node in the fabric",
  process: "The agent itself",
} as const;

export type OptionGroup = keyof typeof OPTION_GROUPS;

/** What of the machine a default may depend on. */
export interface HostFacts {
  readonly hostname: string;
}

export interface Option<T> {
  /** In kebab-case: the flag without dashes, the key in the file, and, in capitals, the environment variable. */
  readonly name: string;
  readonly group: OptionGroup;
  readonly type: ValueType<T>;
  readonly fallback: (host: HostFacts) => NoInfer<T>;
  readonly help: string;
  /** FabEdge's agent has an argument of the same name and meaning. */
  readonly fabedge?: true;
  /** Values that older programs take, with what they mean here. */
  readonly oldValues?: Readonly<Record<string, { readonly meaning: string; readonly why: string }>>;
  /** It says where the file is, so it cannot stand in it. */
  readonly notInFile?: true;
  /** It decides whom the agent believes, or where on this machine it keeps and exposes things: the cloud has no say. */
  readonly localOnly?: true;
}

function option<T>(definition: Option<T>): Option<T> {
  return definition;
}

const absent = () => undefined;

const LOOPBACK = "127.0.0.1" as Ip;
const FABEDGE_DNS_ADDRESS = "169.254.25.10" as Ip;

const KLOG = { meaning: "info", why: "verbosity is a word here" };
const KLOG_VERBOSE = { meaning: "debug", why: "verbosity is a word here" };

/** Every setting of the agent. Help, completion, the file, the environment and `config view` all read this table. */
export const OPTIONS = {
  nodeName: option({
    name: "node-name",
    group: "node",
    localOnly: true,
    type: domainName,
    // kubelet's own rule for its default.
    fallback: (host) => host.hostname.trim().toLowerCase(),
    help: "This node's name in Kubernetes. Default: the host name.",
  }),
  source: option({
    name: "source",
    group: "source",
    localOnly: true,
    type: choice(["metaserver", "yurthub", "lite-apiserver", "api-server", "hub"]),
    fallback: () => "metaserver" as const,
    help: "What serves services and endpoints to this node: it decides how far its answers are trusted.",
  }),
  sourceUrl: option({
    name: "source-url",
    group: "source",
    localOnly: true,
    type: optional(url),
    fallback: absent,
    help: "Where the source listens. Default: the usual address of the source.",
  }),
  metaServer: option({
    name: "meta-server",
    group: "source",
    localOnly: true,
    type: optional(url),
    fallback: absent,
    help: "The same as --source-url, for metaserver and hub.",
  }),
  kubeconfig: option({
    name: "kubeconfig",
    group: "source",
    localOnly: true,
    type: optional(path),
    fallback: absent,
    help: "Kubeconfig file with address and credentials of the source.",
  }),
  tokenFile: option({
    name: "token-file",
    group: "source",
    localOnly: true,
    type: optional(path),
    fallback: absent,
    help: "File with the bearer token for the source. Read again when it changes.",
  }),
  caFile: option({
    name: "ca-file",
    group: "source",
    localOnly: true,
    type: optional(path),
    fallback: absent,
    help: "File with the certificates (PEM) that the source's certificate must chain to.",
  }),
  clientCertFile: option({
    name: "client-cert-file",
    group: "source",
    localOnly: true,
    type: optional(path),
    fallback: absent,
    help: "File with our certificate (PEM) for the source.",
  }),
  clientKeyFile: option({
    name: "client-key-file",
    group: "source",
    localOnly: true,
    type: optional(path),
    fallback: absent,
    help: "File with the key (PEM) of --client-cert-file.",
  }),
  insecureSkipTlsVerify: option({
    name: "insecure-skip-tls-verify",
    group: "source",
    localOnly: true,
    type: boolean,
    fallback: () => false,
    help: "Believe any certificate of the source. Whoever sits on the path can then redirect every service.",
  }),
  enableProxy: option({
    name: "enable-proxy",
    group: "services",
    fabedge: true,
    type: boolean,
    // FabEdge's default is false; there it was an extra beside the tunnels, here it is the job.
    fallback: () => true,
    help: "Make service addresses reach their endpoints.",
  }),
  proxyMode: option({
    name: "proxy-mode",
    group: "services",
    fabedge: true,
    type: choice(["auto", "nftables", "userspace"]),
    fallback: () => "auto" as const,
    help: "auto takes nftables where the kernel has it. userspace relays in this process.",
    oldValues: {
      iptables: { meaning: "auto", why: "there is no iptables mode: nftables does its job" },
      ipvs: { meaning: "auto", why: "there is no ipvs mode: nftables does its job" },
    },
  }),
  proxyClusterCidr: option({
    name: "proxy-cluster-cidr",
    group: "services",
    fabedge: true,
    type: listOf(network),
    fallback: () => [],
    help: "The networks of all pods. Other sources of a service's packets are outside the cluster; pods behind no tunnel are unreachable.",
  }),
  dummyInterfaceName: option({
    name: "dummy-interface-name",
    group: "names",
    fabedge: true,
    type: interfaceName,
    fallback: () => "fabedge-dummy0",
    help: "The link that carries --dns-bind-ip and, in userspace mode, service addresses. Made where it is missing.",
  }),
  enableDns: option({
    name: "enable-dns",
    group: "names",
    fabedge: true,
    type: boolean,
    fallback: () => true,
    help: "Answer DNS queries on --dns-bind-ip.",
  }),
  dnsBindIp: option({
    name: "dns-bind-ip",
    group: "names",
    fabedge: true,
    type: listOf(address),
    fallback: () => [FABEDGE_DNS_ADDRESS],
    help: "Addresses to answer DNS queries on.",
  }),
  dnsBindPort: option({
    name: "dns-bind-port",
    group: "names",
    type: integer(0, 65535),
    fallback: () => 53,
    help: "Port to answer DNS queries on. 0 takes a free one, which status shows.",
  }),
  dnsClusterDomain: option({
    name: "dns-cluster-domain",
    group: "names",
    fabedge: true,
    type: domainName,
    fallback: () => "cluster.local",
    help: "The cluster's domain.",
  }),
  dnsUpstream: option({
    name: "dns-upstream",
    group: "names",
    type: listOf(socketAddress(53)),
    fallback: () => [],
    help: "Servers for names outside the cluster. Default: those of /etc/resolv.conf.",
  }),
  dnsAllowCidr: option({
    name: "dns-allow-cidr",
    group: "names",
    type: listOf(network),
    fallback: () => [],
    help: "Networks besides this node and its pods whose queries are answered.",
  }),
  zone: option({
    name: "zone",
    group: "names",
    type: placeName,
    // FabEdge's service-hub calls those so that nobody has named.
    fallback: () => "default",
    help: "Where this node is: names in svc.global lead to its own cluster, or else to its zone, or else to its region.",
  }),
  region: option({
    name: "region",
    group: "names",
    type: placeName,
    fallback: () => "default",
    help: "The region that --zone is in.",
  }),
  namespace: option({
    name: "namespace",
    group: "fabric",
    localOnly: true,
    type: domainName,
    fallback: () => "fabedge",
    help: "The operator's namespace, where this node's ConfigMap and Secret are.",
  }),
  tlsDir: option({
    name: "tls-dir",
    group: "fabric",
    localOnly: true,
    type: path,
    fallback: () => "/etc/selvedge/tls",
    help: "Where selvedge join has put the key that this node made itself.",
  }),
  tunnelsConf: option({
    name: "tunnels-conf",
    group: "fabric",
    fabedge: true,
    localOnly: true,
    type: optional(path),
    // FabEdge's default is /etc/fabedge/tunnels.yaml; its operator and ours name it wherever it is mounted.
    fallback: absent,
    help: "A mounted tunnels.yaml, read in place of the ConfigMap and the Secret.",
  }),
  localCert: option({
    name: "local-cert",
    group: "fabric",
    fabedge: true,
    localOnly: true,
    type: file,
    fallback: () => "tls.crt",
    help: "With --tunnels-conf, this node's certificate: a path, or a name in /etc/ipsec.d/certs. Keys are in ../private.",
  }),
  viciSocket: option({
    name: "vici-socket",
    group: "fabric",
    localOnly: true,
    type: path,
    fallback: () => "/run/selvedge/charon/charon.vici",
    help: "Where charon listens for us. FabEdge's charon does so at /var/run/charon.vici.",
  }),
  masqOutgoing: option({
    name: "masq-outgoing",
    group: "fabric",
    fabedge: true,
    type: boolean,
    fallback: () => true,
    help: "Let pods speak to the world outside the fabric under this node's address.",
  }),
  cniPlugins: option({
    name: "cni-plugins",
    group: "pods",
    type: choice(["builtin", "stock"]),
    fallback: () => "builtin" as const,
    help: "What connects pods: this program, or bridge, host-local, portmap and bandwidth of containernetworking.",
  }),
  cniVersion: option({
    name: "cni-version",
    group: "pods",
    fabedge: true,
    type: choice(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]),
    // The oldest container runtimes of edge nodes know no newer one.
    fallback: () => "0.3.1" as const,
    help: "The version of the CNI specification that the network configuration names.",
  }),
  cniConfPath: option({
    name: "cni-conf-path",
    group: "pods",
    fabedge: true,
    localOnly: true,
    type: path,
    fallback: () => "/etc/cni/net.d",
    help: "Where the container runtime reads network configurations. Ours is written there.",
  }),
  cniBinPath: option({
    name: "cni-bin-path",
    group: "pods",
    localOnly: true,
    type: path,
    fallback: () => "/opt/cni/bin",
    help: "Where the container runtime looks for plugins. Ours is put there.",
  }),
  cniNetworkName: option({
    name: "cni-network-name",
    group: "pods",
    fabedge: true,
    type: networkName,
    fallback: () => "fabedge",
    help: "The name of the pods' network, and of its configuration's file.",
  }),
  cniBridgeName: option({
    name: "cni-bridge-name",
    group: "pods",
    fabedge: true,
    type: interfaceName,
    fallback: () => "br-fabedge",
    help: "The bridge that pods are connected to. Made where it is missing.",
  }),
  networkPluginMtu: option({
    name: "network-plugin-mtu",
    group: "pods",
    fabedge: true,
    type: integer(68, 65535),
    fallback: () => 1400,
    help: "The MTU of pods' interfaces. What a tunnel adds has to fit the uplink's.",
  }),
  enableHairpinmode: option({
    name: "enable-hairpinmode",
    group: "pods",
    fabedge: true,
    type: boolean,
    fallback: () => true,
    help: "Let a pod reach itself through a service.",
  }),
  stateDir: option({
    name: "state-dir",
    group: "process",
    localOnly: true,
    type: path,
    fallback: () => "/var/lib/selvedge",
    help: "Where the cache lives: what the node works from while the cloud is away.",
  }),
  runDir: option({
    name: "run-dir",
    group: "process",
    localOnly: true,
    type: path,
    fallback: () => "/run/selvedge",
    help: "Where the control socket lives.",
  }),
  httpBind: option({
    name: "http-bind",
    group: "process",
    localOnly: true,
    type: socketAddress(undefined),
    // Beside metaServer's 10550; kubelet, kube-proxy, edgecore, YurtHub, Raven and EdgeMesh all leave it free.
    fallback: () => ({ address: LOOPBACK, port: 10560 }),
    help: "Where /livez, /readyz, /metrics, /version and /statusz are served. Port 0 takes a free one.",
  }),
  logLevel: option({
    name: "log-level",
    group: "process",
    fabedge: true,
    type: choice(["debug", "info", "warn", "error"]),
    fallback: () => "info" as const,
    help: "The least that is logged.",
    // klog's numbers, where 4 is what its convention calls debug.
    oldValues: { 0: KLOG, 1: KLOG, 2: KLOG, 3: KLOG, 4: KLOG_VERBOSE, 5: KLOG_VERBOSE, 6: KLOG_VERBOSE },
  }),
  logFormat: option({
    name: "log-format",
    group: "process",
    type: choice(["auto", "json", "text"]),
    fallback: () => "auto" as const,
    help: "auto is text on a terminal and in the journal, JSON lines elsewhere.",
  }),
  config: option({
    name: "config",
    group: "process",
    localOnly: true,
    type: path,
    fallback: () => "/etc/selvedge/config.yaml",
    help: "YAML file with any of these settings, named as here without dashes in front.",
    notInFile: true,
  }),
};

export type OptionKey = keyof typeof OPTIONS;

export type Config = {
  readonly [K in OptionKey]: (typeof OPTIONS)[K] extends Option<infer T> ? T : never;
};

export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

/** For code that treats all settings alike: what it passes to `format` is what `parse` or `fallback` of the same gave. */
export function optionOf(key: OptionKey): Option<unknown> {
  return OPTIONS[key] as Option<unknown>;
}

const KEYS_BY_NAME: ReadonlyMap<string, OptionKey> = new Map(OPTION_KEYS.map((key) => [OPTIONS[key].name, key]));

export function optionKeyOfName(name: string): OptionKey | undefined {
  return KEYS_BY_NAME.get(name);
}

export function environmentName(option: { readonly name: string }): string {
  return `SELVEDGE_${option.name.toUpperCase().replaceAll("-", "_")}`;
}
