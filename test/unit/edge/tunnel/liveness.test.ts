import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Liveness } from "../../../../edge/tunnel/liveness.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds } from "../../../../src/base/duration.ts";

/** Counters are read so often. */
const SAMPLE_MS = 300;
const STEP_MS = 20;

interface Path {
  /** Whether a packet is lost, for each in turn. */
  readonly loses: () => boolean;
  readonly roundTripMs: number;
  /** Whether the peer sends besides answering. */
  readonly answersTraffic: boolean;
}

/** A tunnel with steady traffic out of it. */
class World {
  now = 0;
  questions = 0;
  readonly liveness = new Liveness(0 as MonotonicTime);
  #path: Path;
  #bytesOut = 0;
  #bytesIn = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #arriving: { readonly at: number; readonly answer: boolean; readonly sent: number }[] = [];

  constructor(path: Partial<Path> = {}) {
    this.#path = { loses: () => false, roundTripMs: 10, answersTraffic: true, ...path };
  }

  become(path: Partial<Path>): void {
    this.#path = { ...this.#path, ...path };
  }

  /** @returns when it was found dead, if it was */
  run(milliseconds_: number, sending = true): number | undefined {
    for (const end = this.now + milliseconds_; this.now < end; this.now += STEP_MS) {
      const now = this.now as MonotonicTime;
      if (sending) this.#send(false);
      for (const packet of this.#arriving.filter(({ at }) => at <= this.now)) {
        this.#bytesIn += 100;
        if (packet.answer) this.liveness.answered(now, milliseconds(this.now - packet.sent));
      }
      this.#arriving = this.#arriving.filter(({ at }) => at > this.now);
      if (this.now % SAMPLE_MS === 0) {
        this.liveness.sample(now, [{ uniqueId: 1, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut }]);
      }
      const { askEvery, dead } = this.liveness.verdict(now);
      if (dead) return this.now;
      if (askEvery !== undefined && this.now - this.#askedAt >= askEvery) {
        this.#askedAt = this.now;
        this.questions += 1;
        this.liveness.asked();
        this.#send(true);
      }
    }
    return undefined;
  }

  #send(question: boolean): void {
    const { loses, roundTripMs, answersTraffic } = this.#path;
    this.#bytesOut += 100;
    if (!question && !answersTraffic) return;
    if (!loses() && !loses()) this.#arriving.push({ at: this.now + roundTripMs, answer: question, sent: this.now });
  }
}

describe("a tunnel", () => {
  test("that carries traffic both ways is asked nothing more once it has answered", () => {
    const world = new World();
    expect(world.run(1000)).toBeUndefined();
    const { questions } = world;
    expect(questions).toBeGreaterThan(0);
    expect(world.run(60_000)).toBeUndefined();
    expect(world.questions).toBe(questions);
  });

  test("that dies under traffic is found dead within 2.5 seconds, wherever in a sample it dies", () => {
    for (let at = 0; at < SAMPLE_MS; at += STEP_MS) {
      const world = new World();
      world.run(5000 + at);
      const died = world.now;
      world.become({ loses: () => true });
      const found = world.run(10_000);
      expect(found ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(died + 2500);
    }
  });

  test("without traffic is left to charon, and is asked nothing", () => {
    const world = new World();
    world.run(1000);
    world.become({ loses: () => true });
    const { questions } = world;
    // What was on its way when it died may raise a doubt once.
    expect(world.run(60_000, false)).toBeUndefined();
    expect(world.questions).toBe(questions);
  });

  test("that only carries traffic one way lives as long as it answers", () => {
    const world = new World({ answersTraffic: false });
    expect(world.run(60_000)).toBeUndefined();
    world.become({ loses: () => true });
    expect(world.run(3000)).toBeDefined();
  });

  test("that never answered is never called dead: a packet filter may be before the peer's nodes", () => {
    const world = new World({ answersTraffic: false, loses: () => true });
    expect(world.run(60_000)).toBeUndefined();
    expect(world.questions).toBeLessThan(50);
  });

  test("that loses a fifth of all packets each way, with a second's round trip, lives", () => {
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), fc.constantFrom(20, 200, 1000), (seed, answersTraffic, roundTripMs) => {
        let state = seed | 0;
        const loses = () => {
          // xorshift32.
          state ^= state << 13;
          state ^= state >>> 17;
          state ^= state << 5;
          return (state >>> 0) / 2 ** 32 < 0.2;
        };
        const world = new World({ loses, answersTraffic, roundTripMs });
        expect(world.run(120_000)).toBeUndefined();
      }),
      { numRuns: 60, seed: 20_261_121 },
    );
  });

  test("counts on with new keys, whose counters begin at 0", () => {
    const liveness = new Liveness(0 as MonotonicTime);
    liveness.answered(0 as MonotonicTime, milliseconds(10));
    const sample = (at: number, uniqueId: number, bytesIn: number, bytesOut: number) => {
      liveness.sample(at as MonotonicTime, [{ uniqueId, bytesIn, bytesOut }]);
      return liveness.verdict(at as MonotonicTime).askEvery !== undefined;
    };
    expect(sample(1000, 1, 5000, 5000)).toBe(false);
    expect(sample(1300, 2, 100, 100)).toBe(false);
    expect(sample(1600, 2, 200, 200)).toBe(false);
    expect(sample(3000, 2, 200, 300)).toBe(true);
  });
});
