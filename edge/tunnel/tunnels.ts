import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { type Duration, minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import { formatPrefix, type Ip, type Prefix } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Counter, Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { FabricCredentials, FabricIdentity } from "../../src/network/fabric-identity.ts";
import { planTunnelConnection, type TunnelChildKind, tunnelChildKind } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import { isUp } from "../../src/strongswan/tunnel-look.ts";
import type { CharonState, TunnelKeeping, TunnelListener, TunnelState } from "../../src/strongswan/tunnel-state.ts";
import { CharonWatch } from "./charon-watch.ts";
import { planClusterNetworks, type WideNetwork } from "./cluster-networks.ts";
import type { FabricKernel, LiveTunnel } from "./fabric-kernel.ts";
import { type FabricView, planFabricView } from "./fabric-view.ts";
import { TUNNEL_CODES, type TunnelFinding } from "./finding.ts";
import { PeerWatches } from "./peer-watches.ts";
import { ServicePrefixes } from "./service-prefixes.ts";

export interface TunnelsOptions {
  readonly keeper: (listener: TunnelListener) => TunnelKeeping;
  readonly kernel: FabricKernel;
  /** Whether what leaves the fabric does so under this node's address. */
  readonly masquerade: boolean;
  /** The networks of all the cluster's pods; none: they are not known. */
  readonly clusterCidrs: readonly Prefix[];
  /** Of all services that this node translates itself. */
  readonly serviceAddresses: () => Iterable<Ip>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: Health;
  readonly metrics: Metrics;
}

const COMPONENT = "tunnels";

/**
 * The tunnels of this node: what its configuration asks for, in charon and in the kernel, and the way around a connector
 * that is lost. From the moment that a peer is known nothing for it leaves in clear, whether its tunnel is up or not.
 */
export class Tunnels implements TunnelListener {
  readonly #options: TunnelsOptions;
  readonly #keeper: TunnelKeeping;
  readonly #charon: CharonWatch;
  readonly #watches: PeerWatches;
  readonly #services: ServicePrefixes;
  readonly #loop: Reconciler;
  readonly #changes: Counter;
  #identity: FabricIdentity | undefined;
  #fabric: FabricView | undefined;
  #wide: readonly WideNetwork[] = [];
  #wanted = "";
  #wantedCredentials: FabricCredentials | undefined;
  #ownAddresses: ReadonlySet<string> = new Set();
  #watching = false;

  constructor(options: TunnelsOptions, scope: Scope) {
    const { clock, random, kernel, metrics } = options;
    this.#options = options;
    this.#services = new ServicePrefixes(options.serviceAddresses);
    this.#changes = metrics.counter(
      "tunnel_kernel_changes_total",
      "Changes of routes, rules and nftables for tunnels.",
    );
    scope.onClose("routes of tunnels", () => kernel.close());
    this.#loop = new Reconciler(
      {
        run: async () => this.#sync(),
        onFailure: (error) =>
          this.#tell([
            {
              code: "TUNNEL_ROUTES_FAILED",
              severity: "degraded",
              message: `Cannot read or write this node's routes for tunnels: ${errorText(error)}`,
              hint: "The agent needs CAP_NET_ADMIN: run it as root or by its unit.",
            },
          ]),
        onSuccess: () => {},
        every: minutes(1),
        backoff: { initial: seconds(1), factor: 2, limit: minutes(1) },
      },
      clock,
      random,
      scope,
    );
    this.#charon = new CharonWatch(clock, options.log, () => void this.#loop.trigger());
    scope.onClose("watch of charon", () => this.#charon.close());
    this.#keeper = options.keeper(this);
    this.#watches = new PeerWatches(
      {
        keeper: this.#keeper,
        clock,
        random,
        onReplace: (peer) => this.#replace(peer),
        onPathMtu: () => void this.#loop.trigger(),
      },
      scope,
    );
  }

  /** What this node is now. @returns when the kernel is as it should be, or was refused something */
  setIdentity(identity: FabricIdentity): Promise<void> {
    this.#identity = identity;
    const { cluster, wide } = planClusterNetworks(this.#options.clusterCidrs, identity.config);
    this.#fabric = planFabricView(identity.config, cluster);
    this.#wide = wide;
    this.#services.setPrefixes([...this.#fabric.peers.flatMap((peer) => peer.subnets), ...cluster]);
    this.#watches.setPeers(this.#fabric.own, this.#fabric.peers);
    return this.#loop.trigger();
  }

  /** @param addresses that services have; those that were there before go on counting */
  addServiceAddresses(addresses: Iterable<Ip>): void {
    if (this.#services.add(addresses)) void this.#loop.trigger();
  }

  /** Whatever else may have changed: addresses, links. */
  resync(): Promise<void> {
    return this.#loop.trigger();
  }

  /** What charon has, for whoever tells of it. */
  get keeper(): TunnelKeeping {
    return this.#keeper;
  }

  /** A peer's addresses in the order in which this node tries them. */
  rankedAddresses({ name, publicAddresses }: TunnelEndpoint): readonly string[] {
    return this.#watches.watch(name)?.ranked ?? publicAddresses;
  }

  /** Of the last question that was answered through the tunnel. */
  latency(peer: string): Duration | undefined {
    return this.#watches.watch(peer)?.latency;
  }

  onTunnel(state: TunnelState): void {
    void this.#loop.trigger();
    this.#options.log.debug("tunnel.state", "A tunnel has changed.", {
      name: state.name,
      reason: state.failure === undefined ? state.phase : `${state.phase}: ${state.failure.text}`,
    });
  }

  onTunnelGone(): void {
    void this.#loop.trigger();
  }

  onCharon(state: CharonState): void {
    this.#charon.see(state);
    void this.#loop.trigger();
  }

  #sync(): void {
    const fabric = this.#fabric;
    const identity = this.#identity;
    if (fabric === undefined || identity === undefined) return;
    const { kernel, masquerade } = this.#options;
    const state = kernel.apply({
      fabric,
      tunnels: this.#live(fabric.peers),
      unknown: new Set(fabric.peers.map(({ name }) => name).filter((name) => this.#isUnknown(name))),
      servesPrefix: (prefix) => this.#services.serves(prefix),
      masquerade,
    });
    if (state.writes > 0) this.#changes.add(state.writes);
    this.#watches.setState(state);
    this.#ownAddresses = state.ownAddresses;
    this.#want(identity, fabric);
    this.#tell([
      ...state.findings,
      ...this.#watches.findings(),
      ...this.#judgeFabric(fabric),
      ...this.#judgeNetworks(),
      ...this.#charon.judge(this.#keeper.charon),
    ]);
    void this.#watch();
  }

  /** After the kernel is ready for them: a tunnel that comes up finds its routes. */
  #want({ credentials }: FabricIdentity, { own, peers }: FabricView): void {
    const connections = peers.flatMap((peer) => {
      const connection = planTunnelConnection(own, { ...peer, publicAddresses: this.#addressesOf(peer) });
      return connection.children.length === 0 ? [] : [connection];
    });
    const wanted = JSON.stringify([own.id, connections]);
    if (wanted === this.#wanted && credentials === this.#wantedCredentials) return;
    this.#wanted = wanted;
    this.#wantedCredentials = credentials;
    this.#keeper.want({
      localId: own.id,
      // Without any, nothing new is loaded; what charon has of an earlier run is watched, and carries on.
      credentials: {
        certificates: credentials?.certificates ?? [],
        privateKeys: credentials === undefined ? [] : [credentials.key.reveal()],
        authorities: credentials?.authorities ?? [],
      },
      connections,
    });
  }

  #live(peers: readonly TunnelEndpoint[]): ReadonlyMap<string, LiveTunnel> {
    const live = new Map<string, LiveTunnel>();
    for (const { name } of peers) {
      const tunnel = this.#keeper.tunnel(name);
      const association = tunnel?.associations.find(isUp);
      if (tunnel === undefined || association === undefined) continue;
      const kinds = tunnel.installedChildren.map((child) => tunnelChildKind(name, child));
      const installed = new Set(kinds.filter((kind): kind is TunnelChildKind => kind !== undefined));
      live.set(name, { installed, association, pathMtu: this.#watches.watch(name)?.pathMtu });
    }
    return live;
  }

  /** Right after a start of ours: an earlier run's SAs carry packets all the while. */
  #isUnknown(peer: string): boolean {
    const tunnel = this.#keeper.tunnel(peer);
    return tunnel === undefined || tunnel.phase === "unloaded";
  }

  #replace(peer: string): void {
    const [identity, fabric] = [this.#identity, this.#fabric];
    if (identity === undefined || fabric === undefined) return;
    this.#want(identity, fabric);
    this.#keeper.replace(peer);
    const addr = this.#watches.watch(peer)?.addresses.join(",") ?? "";
    this.#options.log.info("tunnel.replace", "A peer gets another tunnel.", { name: peer, addr });
  }

  /** Where a site behind another router has this node's own address, it leads to this node. */
  #addressesOf({ name, publicAddresses }: TunnelEndpoint): readonly string[] {
    const addresses = this.#watches.watch(name)?.addresses ?? publicAddresses;
    return addresses.filter((address) => !this.#ownAddresses.has(address));
  }

  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    const unseen = (error: unknown) =>
      this.#options.log.warn("tunnel.watch", "Changes of routes by others are seen only by looking.", {
        code: errorCode(error),
      });
    try {
      await this.#options.kernel.watch(() => void this.#loop.trigger(true), unseen);
      // What happened while nobody listened.
      await this.#loop.trigger(true);
    } catch (error) {
      unseen(error);
    }
  }

  #judgeFabric({ overlaps }: FabricView): readonly TunnelFinding[] {
    const [first] = overlaps;
    if (first === undefined) return [];
    const { prefix, winner, loser } = first;
    return [
      {
        code: "SUBNETS_OVERLAP",
        severity: "degraded",
        message: `Cannot reach all peers as ${overlaps.length} of their networks are another one's too: ${formatPrefix(prefix)} is taken for ${winner}'s, and not for ${loser}'s`,
        hint: "Give each node pods' networks of its own; the operator's conditions of both nodes tell where they come from.",
      },
    ];
  }

  #judgeNetworks(): readonly TunnelFinding[] {
    const [first] = this.#wide;
    if (first === undefined) return [];
    return [
      {
        code: "CLUSTER_CIDR_WIDE",
        severity: "info",
        message: `Cannot keep packets for pods that are behind no peer from leaving in clear, as ${formatPrefix(first.prefix)} is not of pods alone: a node has ${first.node}`,
        hint: "Let --proxy-cluster-cidr, or the operator's --cluster-cidr, name the networks of pods and nothing else.",
      },
    ];
  }

  #tell(findings: readonly TunnelFinding[]): void {
    const { health } = this.#options;
    for (const code of TUNNEL_CODES) {
      const finding = findings.find((found) => found.code === code);
      if (finding === undefined) health.clear(COMPONENT, code);
      else health.raise({ ...finding, component: COMPONENT });
    }
  }
}
