import { type Clock, elapsed, type Timer } from "../../src/base/clock.ts";
import { type Duration, seconds } from "../../src/base/duration.ts";
import type { Health } from "../../src/base/health.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { FabricIdentity } from "../../src/network/fabric-identity.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import type { CharonState, TunnelKeeping, TunnelState } from "../../src/strongswan/tunnel-state.ts";
import { reportTunnel } from "./reported-tunnel.ts";
import { planTunnelConditions, TUNNEL_CONDITIONS } from "./tunnel-conditions.ts";

/** A renewal, a failover and a start are over by then: what is down at two looks is worth a word. */
const LOOK_EVERY = seconds(5);

export interface TunnelViewOptions {
  readonly keeper: Pick<TunnelKeeping, "charon" | "tunnel" | "associations">;
  readonly identity: () => FabricIdentity | undefined;
  /** The last round trip to a peer through its tunnel. */
  readonly latency: (peer: string) => Duration | undefined;
  readonly health: Health;
  readonly clock: Clock;
}

/** What there is to tell of tunnels, and the conditions that follow from it. */
export class TunnelView {
  readonly #options: TunnelViewOptions;
  /** Peers that were down at the last look. */
  #down: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;

  constructor(options: TunnelViewOptions, scope: Scope) {
    this.#options = options;
    this.#schedule();
    scope.onClose("tunnel view", () => this.#timer?.cancel());
  }

  get charon(): CharonState {
    return this.#options.keeper.charon;
  }

  /** By the peers' names, with counters as of when they were last asked for. */
  tunnels(): readonly TunnelReport[] {
    return this.#report((peer) => this.#options.keeper.tunnel(peer));
  }

  /** The same with charon's counters of now. */
  async freshTunnels(): Promise<readonly TunnelReport[]> {
    const { keeper, identity } = this.#options;
    if (keeper.charon.phase !== "connected") return this.tunnels();
    const peers = identity()?.config.peers ?? [];
    const fresh = new Map<string, TunnelState>();
    // Charon answers one after the other anyway, and its queue is not only for us.
    for (const { name } of peers) {
      const state = keeper.tunnel(name);
      if (state === undefined || state.associations.length === 0) continue;
      try {
        fresh.set(name, { ...state, associations: await keeper.associations(name) });
      } catch {
        // Charon went in between: the last that is known is told, and that it went.
      }
    }
    return this.#report((peer) => fresh.get(peer) ?? keeper.tunnel(peer));
  }

  #report(stateOf: (peer: string) => TunnelState | undefined): readonly TunnelReport[] {
    const { keeper, identity, latency, clock } = this.#options;
    const known = identity();
    if (known === undefined) return [];
    const { endpoint, peers } = known.config;
    const reports = peers.map((peer) => {
      const state = stateOf(peer.name);
      const rtt = latency(peer.name);
      return reportTunnel({
        own: endpoint,
        peer,
        hasCredentials: known.credentials !== undefined,
        charon: keeper.charon,
        state,
        failedFor: state?.failure === undefined ? undefined : elapsed(state.failure.at, clock.now()),
        latencySeconds: rtt === undefined ? undefined : rtt / 1000,
        wall: clock.wall(),
      });
    });
    return reports.sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(LOOK_EVERY, () => {
      this.#look();
      this.#schedule();
    });
  }

  #look(): void {
    const { health } = this.#options;
    const tunnels = this.tunnels();
    const lasting = tunnels.map((tunnel) =>
      this.#down.has(tunnel.peer) ? tunnel : { ...tunnel, state: "up" as const },
    );
    this.#down = new Set(tunnels.filter(({ state }) => state !== "up").map(({ peer }) => peer));
    const conditions = planTunnelConditions(this.charon, lasting);
    for (const code of TUNNEL_CONDITIONS) {
      const condition = conditions.find((one) => one.code === code);
      if (condition === undefined) health.clear("tunnels", code);
      else health.raise(condition);
    }
  }
}
