import type { Random } from "../../src/base/backoff.ts";

/** The same seed gives the same numbers (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of this run, or the one to repeat: SELVEDGE_TEST_SEED=… in the environment. */
export function testSeed(): number {
  const wanted = process.env["SELVEDGE_TEST_SEED"];
  return wanted === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(wanted);
}
