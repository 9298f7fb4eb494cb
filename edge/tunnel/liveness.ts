import { elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";

/** Counters of one CHILD_SA. */
export interface ChildTraffic {
  readonly uniqueId: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface LivenessVerdict {
  /** How often to send an echo request through the tunnel now; undefined: there is nothing to ask. */
  readonly askEvery: Duration | undefined;
  readonly dead: boolean;
}

/** Packets went out and none came in for so long: usual for a moment, and worth a question. */
const DOUBT_AFTER = milliseconds(500);
/**
 * Questions in doubt. Where a fifth of all packets is lost each way, a question and its answer get through in 64 of 100
 * cases, and twelve in a row are lost once in 200,000.
 */
const DOUBT_ASK_EVERY = milliseconds(100);
const DOUBT_QUESTIONS = 12;
/** Without an answer for so long, and the round trip besides: it is dead. */
const PATIENCE = milliseconds(1300);
const ROUND_TRIP_ALLOWANCE_MAX = seconds(3);

/** Until something has answered once: then no silence means anything. */
const FIRST_ASK_EVERY = milliseconds(200);
const FIRST_ASK_FOR = seconds(5);
const LATER_ASK_EVERY = seconds(5);

/**
 * Whether one IKE_SA's tunnel carries packets both ways, from what is counted at each end of it and from echo requests
 * that are sent when that leaves doubt. A tunnel without traffic is alive: charon asks the peer itself (DPD).
 */
export class Liveness {
  readonly #started: MonotonicTime;
  #children: ReadonlyMap<number, ChildTraffic> = new Map();
  #lastIn: MonotonicTime;
  /** Whether something went out since. */
  #unanswered = false;
  #doubt: { readonly since: MonotonicTime; questions: number } | undefined;
  /** RFC 6298, in milliseconds. */
  #roundTrip: { readonly smoothed: number; readonly variation: number } | undefined;
  #lastOut: MonotonicTime | undefined;

  constructor(now: MonotonicTime) {
    this.#started = now;
    this.#lastIn = now;
  }

  /** When anything last went out, if it did. */
  get lastOut(): MonotonicTime | undefined {
    return this.#lastOut;
  }

  /** @param children those that carry packets now; new keys have new numbers and count from 0 */
  sample(now: MonotonicTime, children: readonly ChildTraffic[]): void {
    const before = this.#children;
    this.#children = new Map(children.map((child) => [child.uniqueId, child]));
    const grew = (key: "bytesIn" | "bytesOut") =>
      children.some((child) => child[key] > (before.get(child.uniqueId)?.[key] ?? 0));
    if (grew("bytesIn")) this.#alive(now);
    // What went out in the same moment as something came in may still be answered.
    else if (grew("bytesOut")) this.#unanswered = true;
    if (grew("bytesOut")) this.#lastOut = now;
  }

  /** An echo request was sent. */
  asked(): void {
    if (this.#doubt !== undefined) this.#doubt.questions += 1;
  }

  answered(now: MonotonicTime, roundTrip: Duration): void {
    this.#alive(now);
    const before = this.#roundTrip;
    if (before === undefined) this.#roundTrip = { smoothed: roundTrip, variation: roundTrip / 2 };
    else {
      const variation = 0.75 * before.variation + 0.25 * Math.abs(before.smoothed - roundTrip);
      this.#roundTrip = { smoothed: 0.875 * before.smoothed + 0.125 * roundTrip, variation };
    }
  }

  verdict(now: MonotonicTime): LivenessVerdict {
    if (this.#roundTrip === undefined) {
      const early = elapsed(this.#started, now) < FIRST_ASK_FOR;
      return { askEvery: early ? FIRST_ASK_EVERY : LATER_ASK_EVERY, dead: false };
    }
    if (!this.#unanswered || elapsed(this.#lastIn, now) < DOUBT_AFTER) return { askEvery: undefined, dead: false };
    this.#doubt ??= { since: now, questions: 0 };
    const allowance = Math.min(this.#roundTrip.smoothed + 4 * this.#roundTrip.variation, ROUND_TRIP_ALLOWANCE_MAX);
    const waited = elapsed(this.#doubt.since, now) >= PATIENCE + allowance;
    return { askEvery: DOUBT_ASK_EVERY, dead: waited && this.#doubt.questions >= DOUBT_QUESTIONS };
  }

  #alive(now: MonotonicTime): void {
    this.#lastIn = now;
    this.#unanswered = false;
    this.#doubt = undefined;
  }
}
