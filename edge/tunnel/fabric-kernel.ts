import { errorCode, errorText } from "../../src/base/errors.ts";
import { formatPrefix, type Ip, type Prefix } from "../../src/base/ip.ts";
import { listAddresses } from "../../src/linux/addresses.ts";
import { ESP_LINK, FABRIC_TABLE } from "../../src/linux/fabric-table.ts";
import { planForwardFlows } from "../../src/linux/forward-flow.ts";
import { findDroppingForwards } from "../../src/linux/forward-policy.ts";
import { findLink } from "../../src/linux/links.ts";
import type { NetlinkEvents } from "../../src/linux/netlink-events.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Nftables } from "../../src/linux/nftables.ts";
import { KeptTable } from "../../src/linux/nftables-table.ts";
import { listRoutes } from "../../src/linux/routes.ts";
import { watchRouting } from "../../src/linux/routing-events.ts";
import { applyRoutingRules } from "../../src/linux/routing-rules.ts";
import { RoutingTable } from "../../src/linux/routing-table.ts";
import {
  FABRIC_PROTOCOL,
  NODE_ROUTES_TABLE,
  POD_ROUTES_TABLE,
  type WantedRoute,
} from "../../src/linux/routing-table-plan.ts";
import { IKE_MARK, lookUpUplink, type Uplink } from "../../src/linux/uplink.ts";
import type { TunnelChildKind } from "../../src/network/tunnel-connection.ts";
import { espCipher, SMALLEST_LINK_MTU, tunnelMtu } from "../../src/network/tunnel-mtu.ts";
import type { IkeAssociation } from "../../src/strongswan/security-association.ts";
import { carriesPackets } from "../../src/strongswan/tunnel-look.ts";
import { findNativePrefixes } from "./cluster-networks.ts";
import { type FabricView, remotePrefixes } from "./fabric-view.ts";
import type { TunnelFinding } from "./finding.ts";
import { type PeerPath, type PresentRoutes, planRouting, type RoutingPlan, type Way } from "./plan.ts";
import { planFabricElements, planFabricTable } from "./ruleset.ts";

/** A tunnel that carries packets. */
export interface LiveTunnel {
  readonly installed: ReadonlySet<TunnelChildKind>;
  /** The newest IKE_SA that is up. */
  readonly association: IkeAssociation;
  /** What is known of the path beyond the link; undefined: nothing. */
  readonly pathMtu: number | undefined;
}

export interface WantedFabric {
  readonly fabric: FabricView;
  readonly tunnels: ReadonlyMap<string, LiveTunnel>;
  /** Peers of whose tunnels charon has not told yet. */
  readonly unknown: ReadonlySet<string>;
  readonly servesPrefix: (prefix: Prefix) => boolean;
  readonly masquerade: boolean;
}

export interface FabricState {
  /** Changes that the kernel made. */
  readonly writes: number;
  readonly findings: readonly TunnelFinding[];
  /** By the peer's name. */
  readonly paths: ReadonlyMap<string, PeerPath>;
  /** Of this node, on any link. */
  readonly ownAddresses: ReadonlySet<Ip>;
}

/** Routes, rules and the table of nftables around this node's tunnels. */
export class FabricKernel {
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #podRoutes = new RoutingTable(this.#route, POD_ROUTES_TABLE);
  readonly #nodeRoutes = new RoutingTable(this.#route, NODE_ROUTES_TABLE);
  #nft: Nftables | undefined;
  #table: KeptTable | undefined;
  #events: readonly NetlinkEvents[] = [];
  readonly #podLink: string;
  #kernelTellsIpsec = true;

  /** @param podLink the bridge that pods are connected to, where no route says otherwise */
  constructor(podLink: string) {
    this.#podLink = podLink;
  }

  /** @param onChange when another program has changed what is ours, or a link or route that ours depend on */
  async watch(onChange: () => void, onFailure: (error: unknown) => void): Promise<void> {
    const tables = [POD_ROUTES_TABLE, NODE_ROUTES_TABLE];
    const routing = await watchRouting(
      this.#route,
      (change) => {
        const main = [...change.tables].some((table) => tables.includes(table) || table === MAIN_TABLE);
        if (main || change.links || change.rules || change.lost) onChange();
      },
      onFailure,
    );
    this.#events = [routing];
    if (this.#nft === undefined) return;
    this.#events = [routing, await this.#nft.watch(FABRIC_TABLE, onChange, onFailure)];
  }

  close(): void {
    for (const events of this.#events) events.close();
    this.#nft?.close();
    this.#route.close();
  }

  /** What guards comes first: no route leads anywhere before nothing can leave in clear. */
  apply(wanted: WantedFabric): FabricState {
    const findings: TunnelFinding[] = [];
    const native = this.#native(wanted.fabric);
    let writes = this.#guard(wanted, native, findings);
    const ownAddresses = new Set(
      ([4, 6] as const).flatMap((family) => listAddresses(this.#route, family)).map(({ address }) => address),
    );
    const paths = this.#paths(wanted.tunnels);
    const { fabric, unknown, servesPrefix } = wanted;
    const present = { pods: presentRoutes(this.#podRoutes), nodes: presentRoutes(this.#nodeRoutes) };
    const plan = planRouting({ fabric, native, unknown, present, servesPrefix, paths, ownAddresses });
    writes += this.#applyRoutes(plan, findings);
    return { writes, findings, paths, ownAddresses };
  }

  #native({ cluster, peers }: FabricView): readonly Prefix[] {
    if (cluster.length === 0) return [];
    const main = ([4, 6] as const).flatMap((family) => listRoutes(this.#route, { family, table: MAIN_TABLE }));
    const remotePods = peers.flatMap(({ subnets }) => subnets);
    return findNativePrefixes(cluster, remotePods, main);
  }

  #guard({ fabric, masquerade }: WantedFabric, native: readonly Prefix[], findings: TunnelFinding[]): number {
    try {
      this.#nft ??= new Nftables();
      const nft = this.#nft;
      this.#table ??= new KeptTable(nft);
      const table = this.#table;
      const elements = planFabricElements(fabric, native);
      const keep = () =>
        table.keep(planFabricTable({ masquerade, kernelTellsIpsec: this.#kernelTellsIpsec }), elements);
      let changed: boolean;
      try {
        changed = keep();
      } catch (error) {
        // nft_rt without CONFIG_XFRM.
        if (!this.#kernelTellsIpsec || errorCode(error) !== "EOPNOTSUPP") throw error;
        this.#kernelTellsIpsec = false;
        changed = keep();
      }
      this.#judgeForwarding(nft, fabric, findings);
      return Number(changed);
    } catch (error) {
      findings.push({
        code: "TUNNEL_GUARD_FAILED",
        severity: "degraded",
        message: `Cannot see to it by nftables that nothing of the fabric leaves in clear: ${errorText(error)}`,
        hint: "Routes see to it still. Load or build what the kernel lacks: nf_tables, nft_rt, nft_exthdr, nft_masq.",
      });
      return 0;
    }
  }

  #judgeForwarding(nft: Nftables, fabric: FabricView, findings: TunnelFinding[]): void {
    const { subnets } = fabric.own;
    const remote = { prefixes: remotePrefixes(fabric).pods };
    const chains = findDroppingForwards(nft, () =>
      planForwardFlows({ link: this.#linkOf(subnets), prefixes: subnets }, remote),
    );
    if (chains.length === 0) return;
    findings.push({
      code: "FORWARD_DROPPED",
      severity: "degraded",
      message: `Cannot be sure that pods are reached as another program drops what is forwarded, and no rule of its own surely lets pods' packets pass both ways: ${chains.join(", ")}`,
      hint: "Let the pods' networks pass there, in and out: docker takes rules in DOCKER-USER, ufw by `ufw route allow`, firewalld by the networks of all pods as sources of its zone trusted.",
    });
  }

  /** Where the main table leads to this node's pods: another program may connect them, to a bridge of its own. */
  #linkOf(subnets: readonly Prefix[]): string | undefined {
    const own = new Set(subnets.map(formatPrefix));
    const routes = ([4, 6] as const)
      .flatMap((family) => listRoutes(this.#route, { family, table: MAIN_TABLE }))
      .filter(({ type, destination }) => type === "unicast" && own.has(formatPrefix(destination)));
    const [index, ...more] = new Set(routes.map(({ linkIndex }) => linkIndex));
    if (routes.length === 0) return this.#podLink;
    return index === undefined || more.length > 0 ? undefined : findLink(this.#route, index)?.name;
  }

  #paths(tunnels: ReadonlyMap<string, LiveTunnel>): ReadonlyMap<string, PeerPath> {
    const espLink = findLink(this.#route, ESP_LINK);
    const uplinks = new Map<Ip, Uplink | undefined>();
    const uplinkTo = (host: Ip) => {
      if (!uplinks.has(host)) uplinks.set(host, lookUpUplink(this.#route, host, IKE_MARK));
      return uplinks.get(host);
    };
    return new Map(
      [...tunnels].map(([name, tunnel]) => {
        const { remoteHost } = tunnel.association;
        const uplink = uplinkTo(remoteHost);
        const linkMtu = espLink?.mtu ?? uplink?.link.mtu ?? SMALLEST_LINK_MTU;
        const way: Way | undefined = uplink && {
          linkIndex: (espLink ?? uplink.link).index,
          gateway: espLink === undefined ? uplink.gateway : undefined,
          mtu: Math.min(innerMtu(tunnel, uplink.mtu), linkMtu),
        };
        const { mtu: uplinkMtu, source: uplinkSource } = uplink ?? { mtu: undefined, source: undefined };
        return [name, { installed: tunnel.installed, way, uplinkMtu, uplinkSource, linkMtu, hosts: [remoteHost] }];
      }),
    );
  }

  #applyRoutes({ podRoutes, nodeRoutes, rules }: RoutingPlan, findings: TunnelFinding[]): number {
    const states = [this.#podRoutes.apply(podRoutes), this.#nodeRoutes.apply(nodeRoutes)];
    const writes = applyRoutingRules(this.#route, rules, [POD_ROUTES_TABLE, NODE_ROUTES_TABLE]);
    const [blocked] = states.flatMap((state) => state.blocked);
    const [failure] = states.flatMap((state) => state.failures);
    if (blocked !== undefined || failure !== undefined) {
      findings.push({
        code: "TUNNEL_ROUTES_FAILED",
        severity: "degraded",
        message:
          failure !== undefined
            ? `Cannot lead packets into a tunnel: ${errorText(failure.error)}`
            : `Cannot lead packets into a tunnel as another program has a route to ${blocked === undefined ? "" : formatPrefix(blocked.destination)} in table ${blocked?.table}`,
        hint: "`ip route show table 220` and `ip route show table 221` show who is in the way; FabEdge's agent must not run beside this one.",
      });
    }
    return states.reduce((sum, state) => sum + state.writes, writes);
  }
}

function presentRoutes(table: RoutingTable): PresentRoutes {
  return new Map(
    table.observe().flatMap((route) => {
      const { destination, linkIndex, gateway, onlink, source, mtu, metric, type, protocol } = route;
      if (type !== "unicast" || protocol !== FABRIC_PROTOCOL || linkIndex === undefined) return [];
      const wanted: WantedRoute = { kind: "unicast", destination, linkIndex, gateway, onlink, source, mtu, metric };
      return [[formatPrefix(destination), wanted]];
    }),
  );
}

/** RT_TABLE_MAIN, linux/rtnetlink.h. */
const MAIN_TABLE = 254;

/** What fits into the tunnel over a path of that MTU. Children of one connection have the same cipher. */
export function innerMtu(
  { association, pathMtu }: Pick<LiveTunnel, "association" | "pathMtu">,
  uplinkMtu: number,
): number {
  const carrier = association.children.find(carriesPackets);
  return tunnelMtu(Math.min(uplinkMtu, pathMtu ?? uplinkMtu), {
    family: association.remoteHost.includes(":") ? 6 : 4,
    udp: carrier?.encapsulated ?? true,
    cipher: espCipher(carrier?.encryption, carrier?.integrity),
  });
}
