import type { Random } from "../../src/base/backoff.ts";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import { type Ip, ipFamily, prefixContains } from "../../src/base/ip.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { isUp } from "../../src/strongswan/tunnel-look.ts";
import type { TunnelKeeping } from "../../src/strongswan/tunnel-state.ts";
import { Echoes } from "./echoes.ts";
import { type FabricState, innerMtu } from "./fabric-kernel.ts";
import type { TunnelFinding } from "./finding.ts";
import type { ProbeWay } from "./path-probe.ts";
import { PeerWatch } from "./peer-watch.ts";

export interface PeerWatchesOptions {
  readonly keeper: TunnelKeeping;
  readonly clock: Clock;
  readonly random: Random;
  /** A peer's tunnel is to be made anew, with the addresses that it has now. */
  readonly onReplace: (peer: string) => void;
  readonly onPathMtu: () => void;
}

/** Nodes of a peer that are asked: any of them may be away, or answer nobody. */
const TARGETS_MAX = 3;
/** An echo request that only asks for life: what `ping` sends. */
const SMALL_BYTES = 84;
const LOOK_AT_MOST_EVERY = milliseconds(20);

/** All peers' watches, their clock, and the echo requests that they send. */
export class PeerWatches {
  readonly #options: PeerWatchesOptions;
  readonly #echoes: Echoes;
  readonly #peers = new Map<string, { readonly watch: PeerWatch; endpoint: TunnelEndpoint }>();
  #own: TunnelEndpoint | undefined;
  #state: FabricState | undefined;
  #timer: Timer | undefined;

  constructor(options: PeerWatchesOptions, scope: Scope) {
    this.#options = options;
    this.#echoes = new Echoes(options.clock, Math.floor(options.random() * 0x10000));
    scope.onClose("watches of peers", () => {
      this.#timer?.cancel();
      this.#echoes.close();
    });
  }

  setPeers(own: TunnelEndpoint, peers: readonly TunnelEndpoint[]): void {
    this.#own = own;
    const { keeper, random } = this.#options;
    for (const endpoint of peers) {
      const known = this.#peers.get(endpoint.name);
      if (known === undefined) {
        const watch = new PeerWatch(own.name, endpoint, (name) => keeper.associations(name), random);
        this.#peers.set(endpoint.name, { watch, endpoint });
      } else {
        known.watch.setEndpoint(endpoint);
        known.endpoint = endpoint;
      }
    }
    const names = new Set(peers.map((peer) => peer.name));
    for (const name of this.#peers.keys()) if (!names.has(name)) this.#peers.delete(name);
  }

  /** How packets get to peers now. */
  setState(state: FabricState): void {
    this.#state = state;
    this.#echoes.keep(state.ownAddresses);
    this.#schedule(milliseconds(0));
  }

  watch(peer: string): PeerWatch | undefined {
    return this.#peers.get(peer)?.watch;
  }

  findings(): readonly TunnelFinding[] {
    const findings: TunnelFinding[] = [];
    if (this.#echoes.failure !== undefined) {
      findings.push({
        code: "TUNNEL_PROBES_OFF",
        severity: "degraded",
        message: `Cannot send echo requests through tunnels: ${this.#echoes.failure}`,
        hint: "A lost connector is noticed later, and tunnels carry small packets only. The agent needs CAP_NET_RAW.",
      });
    }
    const narrow = [...this.#peers].filter(([, { watch }]) => watch.pathMtu !== undefined);
    const [first] = narrow;
    if (first !== undefined) {
      findings.push({
        code: "TUNNEL_PATH_NARROW",
        severity: "info",
        message: `Cannot use full packets in ${narrow.length} tunnels, as larger ones vanish on the way or nobody answers them: the path to ${first[0]} is taken for ${first[1].watch.pathMtu} bytes wide`,
        hint: "Traffic adapts to it. A firewall on the way that lets ICMP pass would let it be wider.",
      });
    }
    return findings;
  }

  #schedule(delay: Duration): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delay, () => this.#look());
  }

  #look(): void {
    const { keeper, clock, onReplace, onPathMtu } = this.#options;
    let wakeIn = seconds(60) as number;
    let pathMtuChanged = false;
    for (const [name, { watch, endpoint }] of this.#peers) {
      const look = watch.look({ now: clock.now(), tunnel: keeper.tunnel(name), way: this.#way(endpoint) });
      wakeIn = Math.min(wakeIn, look.wakeIn);
      pathMtuChanged ||= look.pathMtuChanged;
      if (look.replace) onReplace(name);
    }
    if (this.#peers.size > 0) this.#schedule(milliseconds(Math.max(wakeIn, LOOK_AT_MOST_EVERY)));
    if (pathMtuChanged) onPathMtu();
  }

  #way(peer: TunnelEndpoint): ProbeWay | undefined {
    const association = this.#options.keeper.tunnel(peer.name)?.associations.find(isUp);
    const path = this.#state?.paths.get(peer.name);
    if (association === undefined || path?.uplinkMtu === undefined) return undefined;
    const { uplinkMtu, uplinkSource, linkMtu } = path;
    const questions = this.#questions(peer);
    return {
      uplinkMtu,
      uplinkSource,
      askInside: (pathMtu, onAnswer) => {
        const fits = Math.min(innerMtu({ association, pathMtu }, uplinkMtu), linkMtu);
        const packetBytes = pathMtu === 0 ? SMALL_BYTES : fits;
        const asked = questions.map(({ source, target }) =>
          this.#echoes.ask({
            source,
            target,
            packetBytes,
            onAnswer: (roundTrip) => onAnswer(roundTrip, this.#options.clock.now()),
          }),
        );
        return asked.includes(true);
      },
      askOutside: (packetBytes, onAnswer) =>
        this.#echoes.ask({ source: undefined, target: association.remoteHost, packetBytes, onAnswer }),
    };
  }

  /** From this node's own address among its pods, which only tunnels lead to. */
  #questions({ nodeSubnets }: TunnelEndpoint): readonly { readonly source: Ip; readonly target: Ip }[] {
    const subnets = this.#own?.subnets ?? [];
    const sources = [...(this.#state?.ownAddresses ?? [])].filter((address) =>
      subnets.some((subnet) => prefixContains(subnet, address)),
    );
    const questions = nodeSubnets.flatMap((target) => {
      const source = sources.find((address) => ipFamily(address) === ipFamily(target));
      return source === undefined || this.#state?.ownAddresses.has(target) === true ? [] : [{ source, target }];
    });
    return questions.slice(0, TARGETS_MAX);
  }
}
