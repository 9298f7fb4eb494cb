import type { MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, milliseconds } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import { SMALLEST_LINK_MTU } from "../../src/network/tunnel-mtu.ts";
import { PathMtuSearch } from "./path-mtu-search.ts";

const ROUND_EVERY = milliseconds(250);
/** For answers to the last round. */
const LAST_WAIT = milliseconds(1500);

/** How to ask through a tunnel, and past it. Both return whether a question left. */
export interface ProbeWay {
  /** Of the link by which the tunnel's packets leave. */
  readonly uplinkMtu: number;
  /** The address of this node by which they would leave if the tunnel were made now. */
  readonly uplinkSource: Ip | undefined;
  /**
   * Asks the peer's nodes through the tunnel.
   *
   * @param pathMtu as large as a packet may be that fits into an ESP packet of this size; 0: a small one
   */
  askInside(pathMtu: number, onAnswer: (roundTrip: Duration, now: MonotonicTime) => void): boolean;
  /** Asks the tunnel's other end itself, with a packet of that size. */
  askOutside(size: number, onAnswer: () => void): boolean;
}

/**
 * Finds out how large the packets of a tunnel may be: first through the tunnel, as that is what counts, and where its
 * peer's nodes answer no echo requests, by asking its other end. Where nobody answers, nothing is known, and the least
 * that every path has is taken: slow is better than silent.
 */
export class PathProbe {
  readonly id: string;
  readonly #linkMtu: number;
  #inside = true;
  #search: PathMtuSearch;
  #dueAt: MonotonicTime | undefined = 0 as MonotonicTime;
  #ending = false;

  constructor(id: string, linkMtu: number) {
    this.id = id;
    this.#linkMtu = linkMtu;
    this.#search = new PathMtuSearch(linkMtu);
  }

  /** When to look again; undefined when it is settled. */
  get dueAt(): MonotonicTime | undefined {
    return this.#dueAt;
  }

  /** @returns the path's MTU, once, when it is found */
  look(now: MonotonicTime, way: ProbeWay): number | undefined {
    if (this.#dueAt === undefined || this.#dueAt > now) return undefined;
    const search = this.#search;
    const sizes = search.nextRound();
    for (const size of sizes) {
      const onAnswer = () => search.answered(size);
      if (this.#inside) way.askInside(size, onAnswer);
      else way.askOutside(size, onAnswer);
    }
    if (sizes.length > 0) return this.#waitFor(ROUND_EVERY, now);
    const found = search.result();
    if (found !== this.#linkMtu && !this.#ending) {
      this.#ending = true;
      return this.#waitFor(LAST_WAIT, now);
    }
    if (found === undefined && this.#inside) {
      this.#inside = false;
      this.#ending = false;
      this.#search = new PathMtuSearch(this.#linkMtu);
      return this.#waitFor(milliseconds(0), now);
    }
    this.#dueAt = undefined;
    return found ?? Math.min(SMALLEST_LINK_MTU, this.#linkMtu);
  }

  #waitFor(delay: Duration, now: MonotonicTime): undefined {
    this.#dueAt = (now + delay) as MonotonicTime;
  }
}
