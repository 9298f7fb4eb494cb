import { type Family, ipFamily, type Prefix } from "../../src/base/ip.ts";
import type { ChainHook } from "../../src/wire/nftables-batch.ts";
import type { Expression } from "../../src/wire/nftables-expression.ts";
import { dnat, loads, lookup, match, registerAt } from "../../src/wire/nftables-key.ts";
import type { FieldType, SetSpec } from "../../src/wire/nftables-set.ts";
import { drop, goTo, jump } from "../../src/wire/nftables-statement.ts";
import { DNS_CLIENTS_LIMIT, planDnsChains } from "./ruleset-dns.ts";

/** One table a family: nothing else on the machine is ours, and nothing in it is anybody else's. */
export const TABLE = "selvedge";

/** Endpoints that only callers from outside get (externalTrafficPolicy Local) have slots from here on. */
export const LOCAL_SLOT_OFFSET = 32_768;

export interface RulesetOptions {
  /** The link that carries the service addresses' fallback routes. */
  readonly linkName: string;
  /** Callers from here are inside the cluster; empty when nobody told us, and then nobody is off-cluster either. */
  readonly clusterCidrs: readonly Prefix[];
  /** Where DNS answers, on the link's addresses. */
  readonly dnsPort: number;
  /** Whether each client of DNS is held to a rate: not every kernel has nft_limit. */
  readonly dnsLimited: boolean;
}

export interface ChainSpec {
  readonly name: string;
  readonly hook?: ChainHook;
  readonly rules: readonly (readonly Expression[])[];
}

export type SetName = keyof ReturnType<typeof planSets>;

/**
 * The sets and maps of one table: what changes when services change.
 *
 * A service's way through them: `services` names the chain for an address, protocol and port; the chain picks a slot
 * and finds the endpoint in `endpoints`. Node ports do the same without an address.
 */
export function planSets(family: Family) {
  const address: FieldType = family === 4 ? "ipv4_addr" : "ipv6_addr";
  const entrance: readonly FieldType[] = [address, "inet_proto", "inet_service"];
  const nodePort: readonly FieldType[] = ["inet_proto", "inet_service"];
  const translatedNodePort: readonly FieldType[] = [...nodePort, address, "inet_service"];
  const target: readonly FieldType[] = [address, "inet_service"];
  const daddr = family === 4 ? "ip daddr" : "ip6 daddr";
  const set = (name: string, key: readonly FieldType[], rest: Omit<SetSpec, "name" | "key"> = {}): SetSpec => ({
    name,
    key,
    ...rest,
  });
  return {
    services: set("services", entrance, { data: "verdict" }),
    /** Behind the firewall chain: where callers from allowed sources go on. */
    admitted: set("admitted", entrance, { data: "verdict" }),
    "allowed-sources": set("allowed-sources", [...entrance, address], { interval: true }),
    /** externalTrafficPolicy Local: where callers inside the cluster go on. */
    internal: set("internal", entrance, { data: "verdict" }),
    endpoints: set("endpoints", [...entrance, "integer"], {
      data: target,
      typeof: { key: [daddr, "meta l4proto", "th dport", "numgen random"], data: [daddr, "th dport"] },
    }),
    "node-ports": set("node-ports", nodePort, { data: "verdict" }),
    "node-internal": set("node-internal", nodePort, { data: "verdict" }),
    "node-endpoints": set("node-endpoints", [...nodePort, "integer"], {
      data: target,
      typeof: { key: ["meta l4proto", "th dport", "numgen random"], data: [daddr, "th dport"] },
    }),
    // Few nodes have services with affinity: a size of our own would take a megabyte a map from each of the others.
    affinity: set("affinity", [address, ...entrance], { data: target, dynamic: {} }),
    "node-affinity": set("node-affinity", [address, ...nodePort], { data: target, dynamic: {} }),
    remember: set("remember", entrance, { data: "verdict" }),
    "node-remember": set("node-remember", translatedNodePort, { data: "verdict" }),
    masqueraded: set("masqueraded", entrance, { data: "verdict" }),
    "node-masqueraded": set("node-masqueraded", translatedNodePort, { data: "verdict" }),
    "cluster-ips": set("cluster-ips", [address]),
    /** Each endpoint on this node with itself: a pod that reaches itself through its service. */
    hairpin: set("hairpin", [address, address]),
    /** Bridges whose own traffic does not pass netfilter, each with itself: replies would bypass the translation. */
    bridges: set("bridges", ["iface_index", "iface_index"]),
    "link-addresses": set("link-addresses", [address]),
    /** Who asks DNS, and what is left of each one's rate (ruleset-dns.ts). */
    "dns-clients": set("dns-clients", [address], { dynamic: { size: DNS_CLIENTS_LIMIT } }),
    "dns-rates": set("dns-rates", [address], { dynamic: { size: DNS_CLIENTS_LIMIT } }),
    "cluster-cidrs": set("cluster-cidrs", [address], { interval: true }),
    fallback: set("fallback", [address], { interval: true }),
  } satisfies Record<string, SetSpec>;
}

/** As kube-proxy and iptables have them: other programs' chains keep their order relative to service translation. */
const PRIORITY_DSTNAT = -100;
const PRIORITY_SRCNAT = 100;

/** The chains that are always there, each before those that lead to it. */
export function planChains(family: Family, options: RulesetOptions): readonly ChainSpec[] {
  const f = family;
  const entrance = loads(f, ["daddr", "l4proto", "dport"]);
  const original = loads(f, ["original-daddr", "l4proto", "original-dport"]);
  const translatedNodePort = loads(f, ["l4proto", "original-dport", "daddr", "dport"]);
  const masquerade: Expression = { name: "masquerade" };
  return [
    {
      // A reset is never rate-limited, as ICMP errors are: many refused connections at once all fail at once.
      name: "refuse",
      rules: [
        [...match("l4proto", Uint8Array.of(6)), { name: "reject", how: "tcp-reset", family }],
        [{ name: "reject", how: "port-unreachable", family }],
      ],
    },
    { name: "node-internal", rules: [[...loads(f, ["l4proto", "dport"]), lookup("node-internal", 0)]] },
    { name: "node-ports", rules: [[...loads(f, ["l4proto", "dport"]), lookup("node-ports", 0)]] },
    { name: "internal", rules: [[...entrance, lookup("internal", 0)]] },
    {
      name: "firewall",
      rules: [
        [
          ...loads(f, ["daddr", "l4proto", "dport", "saddr"]),
          lookup("allowed-sources"),
          ...entrance,
          lookup("admitted", 0),
        ],
        [drop],
      ],
    },
    {
      name: "dispatch",
      rules: [
        [...entrance, lookup("services", 0)],
        // What no service translates, a port that none has or an address without endpoints, is nowhere to be found.
        [...loads(f, ["daddr"]), lookup("cluster-ips"), goTo("refuse")],
        [...matchLocal("destination"), ...exceptLoopback(f), goTo("node-ports")],
      ],
    },
    // What takes a fallback route and is no service is as unreachable as it would be without that route.
    {
      name: "prerouting",
      hook: { type: "nat", hook: "prerouting", priority: PRIORITY_DSTNAT },
      rules: [
        [jump("dispatch")],
        [
          ...loads(f, ["daddr"]),
          lookup("fallback"),
          { name: "fib", register: 1, address: "destination", result: "oifname" },
          { name: "cmp", register: 1, equal: true, value: interfaceName(options.linkName) },
          goTo("refuse"),
        ],
      ],
    },
    {
      name: "output",
      hook: { type: "nat", hook: "output", priority: PRIORITY_DSTNAT },
      rules: [
        [jump("dispatch")],
        [
          ...match("oifname", interfaceName(options.linkName)),
          ...loads(f, ["daddr"]),
          lookup("fallback"),
          goTo("refuse"),
        ],
      ],
    },
    {
      name: "masquerade-inside",
      rules: [
        [...loads(f, ["saddr"]), lookup("link-addresses"), masquerade],
        [...loads(f, ["saddr", "daddr"]), lookup("hairpin"), masquerade],
        [...loads(f, ["iif", "oif"]), lookup("bridges"), masquerade],
      ],
    },
    {
      name: "masquerade-cluster",
      rules: [
        [jump("masquerade-inside")],
        // As kube-proxy does when it is told the cluster's CIDRs.
        ...(options.clusterCidrs.some((prefix) => ipFamily(prefix.address) === family)
          ? [[...loads(f, ["saddr"]), { ...lookup("cluster-cidrs"), inverted: true }, masquerade]]
          : []),
      ],
    },
    { name: "masquerade-all", rules: [[masquerade]] },
    { name: "masquerade-own", rules: [[...matchLocal("source"), masquerade], [goTo("masquerade-inside")]] },
    {
      name: "translated",
      rules: [
        [...original, lookup("remember", 0)],
        [...translatedNodePort, lookup("node-remember", 0)],
        [...loads(f, ["original-daddr"]), lookup("cluster-ips"), goTo("masquerade-cluster")],
        [...original, lookup("masqueraded", 0)],
        [...translatedNodePort, lookup("node-masqueraded", 0)],
      ],
    },
    {
      name: "postrouting",
      hook: { type: "nat", hook: "postrouting", priority: PRIORITY_SRCNAT },
      rules: [[...matchTranslated(), goTo("translated")]],
    },
    {
      // What an endpoint that is a program of this node gets never comes to postrouting.
      name: "input",
      hook: { type: "nat", hook: "input", priority: PRIORITY_SRCNAT },
      rules: [
        [...matchTranslated(), ...original, lookup("remember", 0)],
        [...matchTranslated(), ...translatedNodePort, lookup("node-remember", 0)],
      ],
    },
    ...planDnsChains(family, options),
  ];
}

const DEMAND_CHAIN = /^(node-)?(?:(lb|local)-(0|[1-9]\d{0,4})(-affinity)?|remember-([1-9]\d{0,8}))$/;

/** The name of the chain that spreads over `count` endpoints. */
export function balanceChain(where: { nodePort: boolean; local: boolean }, count: number, affinity: boolean): string {
  return `${where.nodePort ? "node-" : ""}${where.local ? "local" : "lb"}-${count}${affinity ? "-affinity" : ""}`;
}

export function rememberChain(nodePort: boolean, seconds: number): string {
  return `${nodePort ? "node-" : ""}remember-${seconds}`;
}

/**
 * A chain that is there while something leads to it: one for each number of endpoints in use, and one for each
 * affinity time-out. @returns undefined when the name is none of these
 */
export function planDemandChain(family: Family, name: string): ChainSpec | undefined {
  const parts = DEMAND_CHAIN.exec(name);
  if (parts === null) return undefined;
  const nodePort = parts[1] !== undefined;
  if (parts[5] !== undefined) return { name, rules: [[...rememberClient(family, nodePort, Number(parts[5]))]] };

  const [local, count, affinity] = [parts[2] === "local", Number(parts[3]), parts[4] !== undefined];
  const rules: (readonly Expression[])[] = [];
  if (local) {
    const inside = goTo(nodePort ? "node-internal" : "internal");
    rules.push([...matchLocal("source"), inside], [...loads(family, ["saddr"]), lookup("cluster-cidrs"), inside]);
  }
  if (count === 0) rules.push([drop]);
  else {
    const entrance = nodePort ? (["l4proto", "dport"] as const) : (["daddr", "l4proto", "dport"] as const);
    if (affinity) rules.push(dnat(family, ["saddr", ...entrance], nodePort ? "node-affinity" : "affinity"));
    const slot = { random: count, offset: local ? LOCAL_SLOT_OFFSET : 0 };
    rules.push(dnat(family, [...entrance, slot], nodePort ? "node-endpoints" : "endpoints"));
  }
  return { name, rules };
}

/**
 * Which endpoint a client was given, stored once the translation is done. A rule that picks and stores in one go makes
 * nft 1.0.6 abort when it lists it.
 */
function rememberClient(family: Family, nodePort: boolean, timeoutSeconds: number): readonly Expression[] {
  const key = nodePort
    ? (["saddr", "l4proto", "original-dport"] as const)
    : (["saddr", "original-daddr", "l4proto", "original-dport"] as const);
  const words = family === 4 ? key.length : key.length + 3 * (nodePort ? 1 : 2);
  return [
    ...loads(family, key),
    ...loads(family, ["daddr", "dport"], words),
    {
      name: "dynset",
      set: nodePort ? "node-affinity" : "affinity",
      key: registerAt(0),
      data: registerAt(words),
      timeoutSeconds,
    },
  ];
}

/** RTN_LOCAL, linux/rtnetlink.h: an address of this node. */
function matchLocal(address: "source" | "destination"): readonly Expression[] {
  return [
    { name: "fib", register: 1, address, result: "type" },
    { name: "cmp", register: 1, equal: true, value: Uint8Array.of(2, 0, 0, 0) },
  ];
}

/** Node ports do not listen on 127.0.0.0/8 and ::1: what a program opens there stays reachable. */
function exceptLoopback(family: Family): readonly Expression[] {
  const loopback = family === 4 ? Uint8Array.of(127) : Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0));
  const offset = family === 4 ? 16 : 24;
  return [
    { name: "payload", register: 1, base: "network", offset, length: loopback.length },
    { name: "cmp", register: 1, equal: false, value: loopback },
  ];
}

/** IPS_DST_NAT, linux/netfilter/nf_conntrack_common.h. */
function matchTranslated(): readonly Expression[] {
  return [
    { name: "ct", register: 1, key: "status", original: false },
    { name: "bitwise", register: 1, mask: Uint8Array.of(0x20, 0, 0, 0) },
    { name: "cmp", register: 1, equal: false, value: new Uint8Array(4) },
  ];
}

/** IFNAMSIZ bytes, padded with zeros. */
function interfaceName(name: string): Uint8Array {
  const bytes = new Uint8Array(16);
  new TextEncoder().encodeInto(name, bytes.subarray(0, 15));
  return bytes;
}
