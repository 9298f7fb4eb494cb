import { type Family, type Ip, ipBytes, ipFamily, type Prefix, parsePrefix } from "../../src/base/ip.ts";
import type { TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
import type { SetElement } from "../../src/wire/nftables-element.ts";
import type { Expression } from "../../src/wire/nftables-expression.ts";
import { dnat, type Field, loads, lookup } from "../../src/wire/nftables-key.ts";
import { prefixElements } from "../../src/wire/nftables-range.ts";
import type { FieldType } from "../../src/wire/nftables-set.ts";
import { drop, jump, masquerade, matchAddress, matchLink } from "../../src/wire/nftables-statement.ts";
import type { HostPortBook } from "./host-port-book.ts";
import type { MappedProtocol, PortMapping } from "./port-mapping.ts";

/** NF_IP_PRI_RAW, _NAT_DST and _NAT_SRC: as iptables has them, so that chains of other programs keep their order. */
const PRIORITY_RAW = -300;
const PRIORITY_DSTNAT = -100;
const PRIORITY_SRCNAT = 100;

const PROTOCOLS: Readonly<Record<MappedProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** linux/rtnetlink.h */
const RTN_LOCAL = 2;

/** A network has its own, under the lock that it has: another one's pods are none of its business. */
export function hostPortTableName(network: string): string {
  return `selvedge-ports-${network}`;
}

/**
 * Host ports as the stock plugin portmap has them: whatever comes for an address of this node and a mapped port goes to
 * the pod; a client among this network's pods, or on this node, gets this node's address on the way, since the pod's
 * answer would not come back through here otherwise.
 */
export function planHostPortTable(network: string, family: Family): TableSpec {
  const address: FieldType = family === 4 ? "ipv4_addr" : "ipv6_addr";
  const port: readonly FieldType[] = ["inet_proto", "inet_service"];
  const target: readonly FieldType[] = [address, "inet_service"];
  const translate: readonly (readonly Expression[])[] = [
    dnat(family, ["daddr", "l4proto", "dport"], "ports-of-address"),
    dnat(family, ["l4proto", "dport"], "ports"),
  ];
  const translated: readonly Field[] = ["daddr", "l4proto", "dport", "original-dport"];
  return {
    family,
    name: hostPortTableName(network),
    comment: "Selvedge: host ports of pods",
    sets: [
      { name: "ports-of-address", key: [address, ...port], data: target },
      { name: "ports", key: port, data: target },
      { name: "targets", key: [address, ...port, "inet_service"] },
      { name: "clients", key: [address], interval: true },
    ],
    chains: [
      { name: "translate", rules: translate },
      {
        name: "prerouting",
        hook: { type: "nat", hook: "prerouting", priority: PRIORITY_DSTNAT },
        rules: [[...matchLocal(), jump("translate")]],
      },
      {
        name: "output",
        hook: { type: "nat", hook: "output", priority: PRIORITY_DSTNAT },
        rules: [[...matchLocal(), ...exceptLoopback(family), jump("translate")]],
      },
      {
        name: "postrouting",
        hook: { type: "nat", hook: "postrouting", priority: PRIORITY_SRCNAT },
        rules: [
          [...matchAddress(family, "saddr", "clients"), ...loads(family, translated), lookup("targets"), masquerade],
        ],
      },
      ...(family === 4 ? [planLoopbackGuard()] : []),
    ],
  };
}

/** What the table holds for all pods; of two that claim one port the later one has it. */
export function planHostPortElements(family: Family, book: HostPortBook, subnets: readonly Prefix[]): TableElements {
  const addressed = new Map<string, SetElement>();
  const anywhere = new Map<string, SetElement>();
  const targets = new Map<string, SetElement>();
  for (const { addresses, mappings } of book) {
    const pod = addresses.find((address) => ipFamily(address) === family);
    if (pod === undefined) continue;
    for (const mapping of mappings.filter((m) => m.hostIp === undefined || ipFamily(m.hostIp) === family)) {
      const port = [PROTOCOLS[mapping.protocol], mapping.hostPort];
      const data = [pod, mapping.containerPort];
      const hostIp = specific(mapping);
      if (hostIp === undefined) anywhere.set(port.join(" "), { key: port, data });
      else addressed.set([hostIp, ...port].join(" "), { key: [hostIp, ...port], data });
      const key = [pod, PROTOCOLS[mapping.protocol], mapping.containerPort, mapping.hostPort];
      targets.set(key.join(" "), { key });
    }
  }
  return new Map<string, readonly SetElement[]>([
    ["ports-of-address", [...addressed.values()]],
    ["ports", [...anywhere.values()]],
    ["targets", [...targets.values()]],
    ["clients", prefixElements([...subnets, ...(family === 4 ? [LOOPBACK] : [])], family)],
  ]);
}

/** The address that a mapping is for; undefined for all of them. */
function specific({ hostIp }: PortMapping): Ip | undefined {
  return hostIp === "0.0.0.0" || hostIp === "::" ? undefined : hostIp;
}

const LOOPBACK = ((): Prefix => {
  const prefix = parsePrefix("127.0.0.0/8");
  if (!prefix.ok) throw new RangeError(prefix.error.why);
  return prefix.value;
})();

/**
 * Programs of this node reach host ports on 127.0.0.1 only while the bridge routes loopback addresses (route_localnet).
 * It would bring pods to what listens on loopback alone, too; this keeps them away.
 */
function planLoopbackGuard(): TableSpec["chains"][number] {
  const mask = Uint8Array.of(255, 0, 0, 0);
  return {
    name: "guard-loopback",
    hook: { type: "filter", hook: "prerouting", priority: PRIORITY_RAW },
    rules: [
      [
        ...matchLink("iifname", "lo", false),
        ...loads(4, ["daddr"]),
        { name: "bitwise", register: 1, mask },
        { name: "cmp", register: 1, equal: true, value: ipBytes(LOOPBACK.address) },
        drop,
      ],
    ],
  };
}

/** `fib daddr type local`. */
function matchLocal(): readonly Expression[] {
  return [
    { name: "fib", register: 1, address: "destination", result: "type" },
    { name: "cmp", register: 1, equal: true, value: Uint8Array.of(RTN_LOCAL, 0, 0, 0) },
  ];
}

/** ::1 leads nowhere else, whatever is done to it. */
function exceptLoopback(family: Family): readonly Expression[] {
  if (family === 4) return [];
  const value = new Uint8Array(16);
  value[15] = 1;
  return [...loads(6, ["daddr"]), { name: "cmp", register: 1, equal: false, value }];
}
