import { formatPrefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import type { ClusterNode } from "../../src/network/cluster-node.ts";
import { ARGUMENT_ANNOTATION_PREFIX } from "./object-names.ts";
import type { Problem } from "./problem.ts";
import { DEFAULT_PLACE, type OperatorSettings } from "./settings.ts";

export type AgentArguments = ReadonlyMap<string, string>;

interface ArgumentType {
  readonly is: (text: string) => boolean;
  /** What it takes, for a person. */
  readonly text: string;
}

const BOOLEAN: ArgumentType = { is: (text) => /^(?:true|false|t|f|1|0)$/i.test(text), text: "true or false" };
/** Go's time.ParseDuration, which reads them in FabEdge's agents. */
const DURATION: ArgumentType = {
  is: (text) => /^(?:0|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/.test(text),
  text: "a duration such as 30s or 1m30s",
};
const NUMBER: ArgumentType = { is: (text) => /^\d{1,9}$/.test(text), text: "a number" };
const ADDRESSES: ArgumentType = { is: everyPart((part) => parseIp(part).ok), text: "an IP address" };
const NETWORKS: ArgumentType = {
  is: (text) => text === "" || everyPart((part) => parsePrefix(part).ok)(text),
  text: "CIDRs with commas between them",
};
const GROUP: ArgumentType = {
  is: (text) => /^\d+\.\d+\.\d+\.\d+:\d{1,5}$/.test(text) && parseIp(text.slice(0, text.indexOf(":"))).ok,
  text: "an IPv4 address and a port, such as 239.40.20.81:18080",
};

/** FabEdge's arguments of agents whose values can be wrong: a wrong one would keep the agent from starting. */
const ARGUMENT_TYPES: Readonly<Record<string, ArgumentType>> = {
  "sync-period": DURATION,
  debounce: DURATION,
  "tunnel-init-timeout": NUMBER,
  "enable-hairpinmode": BOOLEAN,
  "network-plugin-mtu": NUMBER,
  "masq-outgoing": BOOLEAN,
  "enable-dns": BOOLEAN,
  "dns-bind-ip": ADDRESSES,
  "dns-debug": BOOLEAN,
  "dns-probe": BOOLEAN,
  "enable-proxy": BOOLEAN,
  "proxy-cluster-cidr": NETWORKS,
  "auto-networking": BOOLEAN,
  "multicast-address": GROUP,
  "multicast-interval": DURATION,
  "endpoint-ttl": DURATION,
  "backup-interval": DURATION,
};

const ARGUMENT_NAME = /^[a-z][a-z0-9-]*$/;

/** The arguments of a node's agent: everybody's, those of its annotations laid over them. */
export function planAgentArguments(
  node: ClusterNode,
  settings: OperatorSettings,
): { readonly arguments: AgentArguments; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const merged = new Map(Object.entries(settings.agent.arguments));
  for (const [annotation, value] of Object.entries(node.annotations)) {
    if (!annotation.startsWith(ARGUMENT_ANNOTATION_PREFIX)) continue;
    const name = annotation.slice(ARGUMENT_ANNOTATION_PREFIX.length);
    const takes = checkArgument(name, value);
    if (takes === undefined) merged.set(name, value);
    else problems.push(malformed(node.name, annotation, value, takes));
  }
  if (isTrue(merged.get("auto-networking")) && (merged.get("multicast-token") ?? "") === "") {
    merged.set("auto-networking", "false");
    problems.push(tokenMissing(node.name));
  }
  // For the proxy, and, also where there is none, for the tunnels: pods that are behind no tunnel are not to be reached.
  if ((merged.get("proxy-cluster-cidr") ?? "") === "") {
    const pods = [...settings.clusterCidrs, ...settings.edgePools.map(({ cidr }) => cidr)].map(formatPrefix);
    merged.set("proxy-cluster-cidr", [...new Set(pods)].join(","));
  }
  // Where nothing is said, agents take what the operator takes.
  for (const name of ["zone", "region"] as const) {
    if (settings[name] !== DEFAULT_PLACE && !merged.has(name)) merged.set(name, settings[name]);
  }
  return { arguments: new Map([...merged].sort(([a], [b]) => (a < b ? -1 : 1))), problems };
}

/** @returns what the argument takes, when it does not take this */
export function checkArgument(name: string, value: string): string | undefined {
  if (!ARGUMENT_NAME.test(name)) return "a name of an argument, in lower case and without dashes in front";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) return "one line";
  const type = Object.hasOwn(ARGUMENT_TYPES, name) ? ARGUMENT_TYPES[name] : undefined;
  return type === undefined || type.is(value) ? undefined : type.text;
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(?:true|t|1)$/i.test(text);
}

function everyPart(is: (part: string) => boolean): (text: string) => boolean {
  return (text) => text.split(",").every((part) => is(part.trim()));
}

function malformed(node: string, annotation: string, value: string, takes: string): Problem {
  return {
    code: "ARGUMENT_MALFORMED",
    severity: "degraded",
    message: `Cannot use annotation ${annotation} of node ${node} as it takes ${takes}: current value is ${JSON.stringify(value.slice(0, 64))}`,
    hint: "Correct or remove the annotation; until then the agent runs with the value that all agents have.",
  };
}

function tokenMissing(node: string): Problem {
  return {
    code: "MULTICAST_TOKEN_MISSING",
    severity: "degraded",
    message: `Cannot switch auto-networking on for node ${node} as it has no multicast-token`,
    hint: `Set ${ARGUMENT_ANNOTATION_PREFIX}multicast-token on the node, or MULTICAST_TOKEN for all agents.`,
  };
}
