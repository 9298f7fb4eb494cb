import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Answer, makeAnswer } from "../../../../edge/dns/answer.ts";
import { AnswerCache } from "../../../../edge/dns/answer-cache.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { Rcode } from "../../../../src/wire/dns.ts";
import { dnsName } from "../../../support/network-objects.ts";

const NAME = dnsName("www.example.com");
const ANSWER = makeAnswer(NAME, { flags: Rcode.NoError });
const FAILURE = makeAnswer(NAME, { flags: Rcode.ServFail });

const SEED = 1;

function at(seconds: number): MonotonicTime {
  return (seconds * 1000) as MonotonicTime;
}

function ttlOf(ttlSeconds: number, negative = false): number {
  const cached = new AnswerCache(SEED).put("k", ANSWER, { ttlSeconds, negative }, at(0));
  return cached.expires / 1000;
}

const DAY = 86_400;

describe("the answer cache", () => {
  test("keeps an answer for its TTL and no longer", () => {
    const cache = new AnswerCache(SEED);
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    expect([cache.fresh("k", at(59.9))?.answer, cache.fresh("k", at(60))]).toEqual([ANSWER, undefined]);
  });

  test("clamps TTLs: a second, a day, and an hour for what is not there", () => {
    expect([ttlOf(0), ttlOf(60), ttlOf(10 * DAY), ttlOf(10 * DAY, true)]).toEqual([1, 60, DAY, 3600]);
  });

  test("serves stale for three days, and asks for a refresh each time", () => {
    const cache = new AnswerCache(SEED);
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    expect(cache.stale("k", at(60 + 3 * DAY - 1))).toMatchObject({ cached: { answer: ANSWER }, refreshDue: true });
    expect(cache.stale("k", at(60 + 3 * DAY))).toBeUndefined();
    expect(cache.entryCount).toBe(0);
  });

  test("does not ask for a refresh for 30 seconds after one that failed", () => {
    const cache = new AnswerCache(SEED);
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    cache.putFailure("k", FAILURE, at(100));
    expect(cache.stale("k", at(129))).toMatchObject({ cached: { answer: ANSWER }, refreshDue: false });
    expect(cache.stale("k", at(130))).toMatchObject({ refreshDue: true });
  });

  test("keeps a failure for two seconds where nothing better is known, and never stale", () => {
    const cache = new AnswerCache(SEED);
    cache.putFailure("k", FAILURE, at(0));
    expect([cache.fresh("k", at(1.9))?.answer, cache.fresh("k", at(2)), cache.stale("k", at(2))]).toEqual([
      FAILURE,
      undefined,
      undefined,
    ]);
  });

  test("holds 10,000 answers, and surely the 5,000 that were used last", () => {
    const cache = new AnswerCache(SEED);
    const put = (first: number, count: number) => {
      for (let i = first; i < first + count; i++)
        cache.put(`k${i}`, ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    };
    put(0, 10_000);
    expect(cache.entryCount).toBe(10_000);
    put(10_000, 2500);
    cache.fresh("k5000", at(1));
    cache.stale("k5001", at(61));
    put(12_500, 4998);
    const kept = ["k5000", "k5001", "k5002", "k12499"].map((key) => cache.stale(key, at(61)) !== undefined);
    expect(kept).toEqual([true, true, false, true]);
    expect(cache.entryCount).toBeLessThanOrEqual(10_000);
  });

  test("holds four megabytes, whatever is in them", () => {
    const cache = new AnswerCache(SEED);
    const large = { ...ANSWER, body: new Uint8Array(60_000) };
    for (let i = 0; i < 200; i++) cache.put(`k${i % 150}`, large, { ttlSeconds: 60, negative: false }, at(0));
    expect(cache.sizeBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(cache.sizeBytes).toBeGreaterThan(2 * 1024 * 1024);
    expect(cache.fresh("k49", at(1))?.answer.body).toHaveLength(60_000);
  });

  test("takes no more room when what it has is refreshed, or cannot be", () => {
    const cache = new AnswerCache(SEED);
    const refresh = (seconds: number) => {
      for (let i = 0; i < 50; i++) cache.put(`k${i}`, ANSWER, { ttlSeconds: 60, negative: false }, at(seconds));
    };
    refresh(0);
    const before = cache.sizeBytes;
    for (let second = 60; second < 6000; second += 60) refresh(second);
    for (let i = 0; i < 5000; i++) cache.putFailure(`k${i % 50}`, FAILURE, at(7000 + i));
    expect([cache.sizeBytes, cache.entryCount]).toEqual([before, 50]);
  });

  test("gives what was put last, whatever is put, looked for, and of what size", () => {
    const key = fc.integer({ min: 0, max: 30 }).map((n) => `name-${n}`);
    const body = fc.integer({ min: 0, max: 60_000 }).map((n) => new Uint8Array(n).fill(n));
    const step = fc.oneof(
      fc.record({ kind: fc.constant("put" as const), key, body, flags: fc.constantFrom(0, 3, 0x20) }),
      fc.record({ kind: fc.constant("find" as const), key }),
    );
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 200 }), (seed, steps) => {
        const cache = new AnswerCache(seed);
        const put = new Map<string, { answer: Answer; stored: number }>();
        for (const [i, one] of steps.entries()) {
          if (one.kind === "put") {
            const { body, flags } = one;
            const answer = {
              flags,
              answers: i,
              authorities: i + 1,
              additionals: 2,
              body,
              turnFrom: i,
              turnBytes: i + 2,
            };
            cache.put(one.key, answer, { ttlSeconds: 3600, negative: false }, at(i));
            put.set(one.key, { answer, stored: at(i) });
          }
          const found = cache.fresh(one.key, at(i));
          // What was not used for long may be gone, but nothing is ever of another name or time.
          if (found !== undefined || one.kind === "put") {
            expect({ answer: found?.answer, stored: found?.stored }).toEqual(put.get(one.key) as never);
          }
        }
        expect(cache.entryCount).toBeLessThanOrEqual(put.size);
      }),
    );
  });
});
