import { type Family, ipFamily, type Prefix } from "../../src/base/ip.ts";
import { FABRIC_TABLE, FAMILIES } from "../../src/linux/fabric-table.ts";
import type { TableElements, TableSpec } from "../../src/linux/nftables-table.ts";
import { prefixElements } from "../../src/wire/nftables-range.ts";
import { accept, keepSource, matchAddress, matchFamily, matchMark } from "../../src/wire/nftables-statement.ts";

/** FabEdge's names, which people look for. */
const SETS: Readonly<Record<Family, string>> = { 4: "FABEDGE-REMOTE-POD-CIDR", 6: "FABEDGE-REMOTE-POD-CIDR6" };

/** Before NF_IP_PRI_NAT_SRC, where kube-proxy and the pod network masquerade: who is first decides. */
const PRIORITY_BEFORE_SRCNAT = 90;
/**
 * KUBE-MARK-MASQ: what kube-proxy, in iptables and nftables mode, will masquerade: a connection from outside to a node
 * port, whose answer has to pass here again. FabEdge jumps to its chain KUBE-POSTROUTING, which not every mode has.
 */
const MASQUERADE_MARK = 0x4000;

/**
 * Between pods here and pods of edges no address is translated: what the pod network takes for outside of the cluster,
 * it would masquerade, and an edge takes nothing from addresses that its tunnel is not for.
 *
 * FabEdge also accepts forwarded packets; a table of its own cannot overrule another's refusal, so nothing of that
 * would do anything here.
 */
export const NODE_TABLE: TableSpec = {
  family: "inet",
  name: FABRIC_TABLE,
  comment: "Selvedge: pods of edges keep their addresses",
  sets: FAMILIES.map((family) => ({
    name: SETS[family],
    key: [family === 4 ? ("ipv4_addr" as const) : ("ipv6_addr" as const)],
    interval: true,
  })),
  chains: [
    {
      name: "postrouting",
      hook: { type: "nat", hook: "postrouting", priority: PRIORITY_BEFORE_SRCNAT },
      rules: [
        [...matchMark(MASQUERADE_MARK), accept],
        ...FAMILIES.flatMap((family) =>
          (["daddr", "saddr"] as const).map((which) => [
            ...matchFamily(family),
            ...matchAddress(family, which, SETS[family]),
            ...keepSource(family),
          ]),
        ),
      ],
    },
  ],
};

export function planNodeElements(prefixes: readonly Prefix[]): TableElements {
  return new Map(
    FAMILIES.map((family) => {
      const own = prefixes.filter(({ address }) => ipFamily(address) === family);
      return [SETS[family], prefixElements(own, family)] as const;
    }),
  );
}
