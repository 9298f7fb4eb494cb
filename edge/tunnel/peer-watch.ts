import type { Random } from "../../src/base/backoff.ts";
import { elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { IkeAssociation } from "../../src/strongswan/security-association.ts";
import { carriesPackets, isUp } from "../../src/strongswan/tunnel-look.ts";
import type { TunnelState } from "../../src/strongswan/tunnel-state.ts";
import { rankAddresses } from "./address-ranking.ts";
import { ConnectorChoice } from "./connector-choice.ts";
import { Liveness } from "./liveness.ts";
import { PathProbe, type ProbeWay } from "./path-probe.ts";

/** How often counters are read: while packets go out, and else. */
const SAMPLE_EVERY = milliseconds(300);
const SAMPLE_IDLE_EVERY = seconds(1);
const IDLE_AFTER = seconds(30);

/** What charon has to follow a change of addresses (RFC 4555): a round trip, unless an exchange is under way. */
const MOVE_PATIENCE = milliseconds(1500);

/** Nothing to look at before the next change of a tunnel, or this. */
const REST = seconds(1);

export type ReadAssociations = (name: string) => Promise<readonly IkeAssociation[]>;

export interface PeerWorld {
  readonly now: MonotonicTime;
  readonly tunnel: TunnelState | undefined;
  /** How echo requests get through the tunnel, and past it; undefined while it is down. */
  readonly way: ProbeWay | undefined;
}

/** What became of a look. */
export interface PeerLook {
  readonly wakeIn: Duration;
  /** Another address is chosen, or the same needs a new tunnel. */
  readonly replace: boolean;
  readonly pathMtuChanged: boolean;
}

/**
 * One peer: whether its tunnel carries packets, how large they may be, and, of a connector, which of its addresses is
 * used.
 */
export class PeerWatch {
  readonly #own: string;
  readonly #random: Random;
  readonly #read: ReadAssociations;
  #endpoint: TunnelEndpoint;
  #choice: ConnectorChoice | undefined;
  /** The address chosen last, whatever became of the list that it is from. */
  #chosen: string | undefined;
  /** IKE_SAs that were there when another address was chosen: they do not say that it answers. */
  #left: ReadonlySet<string> = new Set();
  #liveness: { readonly of: string; readonly state: Liveness } | undefined;
  #sampleAt = 0 as MonotonicTime;
  #sampling = false;
  #askAt = 0 as MonotonicTime;
  #probe: PathProbe | undefined;
  #path = "";
  #pathMtu: number | undefined;
  #latency: Duration | undefined;
  /** The uplink's address when the IKE_SA was first seen, or charon followed it; and since when it is another one. */
  #uplink: { readonly of: string; readonly source: Ip | undefined; movedSince: MonotonicTime | undefined } | undefined;

  constructor(own: string, endpoint: TunnelEndpoint, read: ReadAssociations, random: Random) {
    this.#own = own;
    this.#endpoint = endpoint;
    this.#read = read;
    this.#random = random;
  }

  /** Where to begin a tunnel. A connector's addresses are as many connectors: one is used. */
  get addresses(): readonly string[] {
    const { publicAddresses } = this.#endpoint;
    if (!this.#isConnector || publicAddresses.length < 2) return publicAddresses;
    return [this.#choice?.address ?? rankAddresses(this.#own, publicAddresses)[0] ?? ""];
  }

  get ranked(): readonly string[] {
    return this.#isConnector
      ? rankAddresses(this.#own, this.#endpoint.publicAddresses)
      : this.#endpoint.publicAddresses;
  }

  /** What is known of the path to the tunnel's end; undefined: the link's. */
  get pathMtu(): number | undefined {
    return this.#pathMtu;
  }

  /** Of the last answer through the tunnel. */
  get latency(): Duration | undefined {
    return this.#latency;
  }

  get #isConnector(): boolean {
    return this.#endpoint.type === "Connector";
  }

  setEndpoint(endpoint: TunnelEndpoint): void {
    const before = this.#endpoint;
    this.#endpoint = endpoint;
    if (String(before.publicAddresses) !== String(endpoint.publicAddresses)) this.#choice = undefined;
  }

  look(world: PeerWorld): PeerLook {
    const { now, tunnel } = world;
    const association = tunnel?.associations.find(isUp);
    if (association === undefined) {
      this.#liveness = undefined;
      this.#probe = undefined;
      this.#latency = undefined;
    }
    const dead = association !== undefined && this.#isConnector && this.#isDead(association, world);
    const moved = association !== undefined && this.#hasMoved(association, world);
    const pathMtuChanged = association !== undefined && this.#probePath(association, world);
    const replace = this.#choose(now, tunnel, association, dead) || moved;
    return { wakeIn: this.#wakeIn(now), replace, pathMtuChanged };
  }

  /** @returns whether the tunnel is to be made anew */
  #choose(
    now: MonotonicTime,
    tunnel: TunnelState | undefined,
    association: IkeAssociation | undefined,
    dead: boolean,
  ): boolean {
    // A tunnel that charon has not got yet says nothing of an address.
    if (!this.#isConnector || tunnel === undefined || tunnel.phase === "unloaded") return false;
    // Its tunnel may be as well as ever: whoever took the address from the list wants it left.
    const withdrawn = this.#chosen !== undefined && this.ranked.length > 0 && !this.ranked.includes(this.#chosen);
    this.#choice ??= new ConnectorChoice(this.ranked, association?.remoteHost, now, this.#random);
    const replace = withdrawn || this.#another(this.#choice, now, tunnel, dead);
    if (this.ranked.length > 0) this.#chosen = this.#choice.address;
    if (!replace) return false;
    this.#left = new Set(tunnel.associations.filter(isUp).map(spis));
    this.#liveness = undefined;
    this.#latency = undefined;
    return true;
  }

  /** @returns whether the choice is another one now, or the same is to be tried anew */
  #another(choice: ConnectorChoice, now: MonotonicTime, tunnel: TunnelState, dead: boolean): boolean {
    if (dead) {
      choice.leave(now);
      return true;
    }
    const isThere = tunnel.associations.some((sa) => isUp(sa) && !this.#left.has(spis(sa)));
    return choice.look(now, isThere && tunnel.installedChildren.length > 0);
  }

  /**
   * The uplink is another, and charon goes on sending by the old one: the exchange that would have told the peer waits
   * behind one that nobody answers. A new IKE_SA takes the new uplink.
   */
  #hasMoved(association: IkeAssociation, { now, way }: PeerWorld): boolean {
    const source = way?.uplinkSource;
    if (source === undefined) return false;
    const id = spis(association);
    if (this.#uplink?.of !== id || source === association.localHost) {
      this.#uplink = { of: id, source, movedSince: undefined };
    }
    const uplink = this.#uplink;
    if (source === uplink.source) uplink.movedSince = undefined;
    else uplink.movedSince ??= now;
    if (uplink.movedSince === undefined || elapsed(uplink.movedSince, now) < MOVE_PATIENCE) return false;
    this.#uplink = { of: id, source, movedSince: undefined };
    return true;
  }

  #isDead(association: IkeAssociation, { now, way }: PeerWorld): boolean {
    const id = spis(association);
    if (this.#left.has(id)) return false;
    if (this.#liveness?.of !== id) {
      this.#liveness = { of: id, state: new Liveness(now) };
      this.#latency = undefined;
    }
    const { state } = this.#liveness;
    if (this.#sampleAt <= now && !this.#sampling) void this.#sample(id, state, now);
    const { askEvery, dead } = state.verdict(now);
    if (askEvery !== undefined && this.#askAt <= now) {
      this.#askAt = (now + askEvery) as MonotonicTime;
      const asked = way?.askInside(0, (roundTrip, at) => {
        this.#latency = roundTrip;
        state.answered(at, roundTrip);
      });
      if (asked === true) state.asked();
    }
    return dead;
  }

  async #sample(id: string, liveness: Liveness, now: MonotonicTime): Promise<void> {
    this.#sampling = true;
    const { lastOut } = liveness;
    const idle = lastOut !== undefined && elapsed(lastOut, now) > IDLE_AFTER;
    this.#sampleAt = (now + (idle ? SAMPLE_IDLE_EVERY : SAMPLE_EVERY)) as MonotonicTime;
    try {
      const associations = await this.#read(this.#endpoint.name);
      const current = associations.find((association) => spis(association) === id);
      if (current !== undefined) liveness.sample(now, current.children.filter(carriesPackets));
    } catch {
      // charon does not answer: its keeper tells, and there is nothing to judge.
    } finally {
      this.#sampling = false;
    }
  }

  /** @returns whether another MTU is known now */
  #probePath(association: IkeAssociation, { now, way }: PeerWorld): boolean {
    if (way === undefined) return false;
    const path = `${association.localHost} ${association.remoteHost} ${way.uplinkMtu}`;
    const id = `${path} ${spis(association)}`;
    const before = this.#pathMtu;
    // What is known of another path says nothing of this one.
    if (path !== this.#path) this.#pathMtu = undefined;
    this.#path = path;
    if (this.#probe?.id !== id) this.#probe = new PathProbe(id, way.uplinkMtu);
    const found = this.#probe.look(now, way);
    if (found !== undefined) this.#pathMtu = found < way.uplinkMtu ? found : undefined;
    return this.#pathMtu !== before;
  }

  #wakeIn(now: MonotonicTime): Duration {
    const times = [this.#probe?.dueAt];
    if (this.#liveness !== undefined) {
      times.push(this.#sampleAt);
      if (this.#liveness.state.verdict(now).askEvery !== undefined) times.push(this.#askAt);
    }
    const next = Math.min(...times.filter((time) => time !== undefined), now + REST);
    return milliseconds(Math.max(0, next - now));
  }
}

function spis({ initiatorSpi, responderSpi }: IkeAssociation): string {
  return `${initiatorSpi}/${responderSpi}`;
}
