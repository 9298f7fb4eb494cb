import type { Family } from "../../src/base/ip.ts";
import type { Expression } from "../../src/wire/nftables-expression.ts";
import { loads, lookup, match, registerAt } from "../../src/wire/nftables-key.ts";
import { drop, goTo } from "../../src/wire/nftables-statement.ts";
import type { ChainSpec, RulesetOptions } from "./ruleset.ts";

/**
 * Clients of this node's DNS that are known at a time, per table: its pods and what its LAN has, several times over. About
 * 250 bytes of kernel memory each. Further ones, forged mostly, are answered without a limit of their own, and tracked.
 */
export const DNS_CLIENTS_LIMIT = 1024;

/**
 * Packets that one client may send to DNS: new names of the world outside 400 times a second, at ten questions each, as
 * the search domains that pods have and the two families make it. The server's receive buffer, 2,700 questions, takes a
 * client's burst and what comes in the next 400 ms.
 */
export const DNS_CLIENT_RATE = { packetsPerSecond: 4000, burst: 1000 };

/** Longer than any answer takes, and than an idle TCP connection is kept. */
const CLIENT_SECONDS = 60;
/** Longer than a client's rate takes to be whole again. */
const RATE_SECONDS = 1;

/** What is dropped is counted in it. */
export const DNS_QUERY_CHAIN = "dns-query";

/** Before connections are tracked (NF_IP_PRI_CONNTRACK is -200), after fragments are put together (-400). */
const PRIORITY_RAW = -300;

/** Index of `lo` in every network namespace: LOOPBACK_IFINDEX, net/net_namespace.h. */
const LOOPBACK = Uint8Array.of(1, 0, 0, 0);

/** IANA's numbers of UDP and TCP. */
const PROTOCOLS = [17, 6];

/**
 * What comes from outside the node to our DNS: no client takes more than its share of the server, and none of it takes
 * room in the table of connections, which a flood would fill, and which may be full.
 *
 * An answer is left untracked only where its question was: one that another program's rule led here from elsewhere has
 * to find its way back.
 */
export function planDnsChains(
  family: Family,
  { dnsPort: port, dnsLimited }: Pick<RulesetOptions, "dnsPort" | "dnsLimited">,
): readonly ChainSpec[] {
  const share: readonly Expression[] = [
    ...loads(family, ["saddr"]),
    { name: "dynset", set: "dns-rates", key: registerAt(0), timeoutSeconds: RATE_SECONDS, limit: DNS_CLIENT_RATE },
    { name: "counter" },
    drop,
  ];
  return [
    {
      name: DNS_QUERY_CHAIN,
      rules: [
        ...(dnsLimited ? [share] : []),
        // A set of its own, as looking an element up asks for its limit too. When it is full, both ways are tracked.
        [
          ...loads(family, ["saddr"]),
          { name: "dynset", set: "dns-clients", key: registerAt(0), timeoutSeconds: CLIENT_SECONDS },
          { name: "notrack" },
        ],
      ],
    },
    {
      name: "dns-in",
      hook: { type: "filter", hook: "prerouting", priority: PRIORITY_RAW },
      rules: PROTOCOLS.map((protocol) => [
        ...matchPort(family, protocol, "dport", port),
        ...notLoopback("iif"),
        ...loads(family, ["daddr"]),
        lookup("link-addresses"),
        // Whoever gave our address to a service means the service.
        { ...lookup("cluster-ips"), inverted: true },
        goTo(DNS_QUERY_CHAIN),
      ]),
    },
    {
      name: "dns-out",
      hook: { type: "filter", hook: "output", priority: PRIORITY_RAW },
      rules: PROTOCOLS.map((protocol) => [
        ...matchPort(family, protocol, "sport", port),
        ...notLoopback("oif"),
        ...loads(family, ["saddr"]),
        lookup("link-addresses"),
        ...loads(family, ["daddr"]),
        lookup("dns-clients"),
        { name: "notrack" },
      ]),
    },
  ];
}

function matchPort(family: Family, protocol: number, field: "sport" | "dport", port: number): readonly Expression[] {
  return [
    ...match("l4proto", Uint8Array.of(protocol)),
    ...loads(family, [field]),
    { name: "cmp", register: 1, equal: true, value: Uint8Array.of(port >> 8, port) },
  ];
}

function notLoopback(key: "iif" | "oif"): readonly Expression[] {
  return [
    { name: "meta", register: 1, key },
    { name: "cmp", register: 1, equal: false, value: LOOPBACK },
  ];
}
