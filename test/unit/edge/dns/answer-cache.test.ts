import { describe, expect, test } from "bun:test";
import { makeAnswer } from "../../../../edge/dns/answer.ts";
import { AnswerCache } from "../../../../edge/dns/answer-cache.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { Rcode } from "../../../../src/wire/dns.ts";
import { dnsName } from "../../../support/network-objects.ts";

const NAME = dnsName("www.example.com");
const ANSWER = makeAnswer(NAME, { flags: Rcode.NoError });
const FAILURE = makeAnswer(NAME, { flags: Rcode.ServFail });

function at(seconds: number): MonotonicTime {
  return (seconds * 1000) as MonotonicTime;
}

function ttlOf(ttlSeconds: number, negative = false): number {
  const cached = new AnswerCache().put("k", ANSWER, { ttlSeconds, negative }, at(0));
  return cached.expires / 1000;
}

const DAY = 86_400;

describe("the answer cache", () => {
  test("keeps an answer for its TTL and no longer", () => {
    const cache = new AnswerCache();
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    expect([cache.fresh("k", at(59.9))?.answer, cache.fresh("k", at(60))]).toEqual([ANSWER, undefined]);
  });

  test("clamps TTLs: a second, a day, and an hour for what is not there", () => {
    expect([ttlOf(0), ttlOf(60), ttlOf(10 * DAY), ttlOf(10 * DAY, true)]).toEqual([1, 60, DAY, 3600]);
  });

  test("serves stale for three days, and asks for a refresh each time", () => {
    const cache = new AnswerCache();
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    expect(cache.stale("k", at(60 + 3 * DAY - 1))).toMatchObject({ cached: { answer: ANSWER }, refreshDue: true });
    expect(cache.stale("k", at(60 + 3 * DAY))).toBeUndefined();
    expect(cache.entryCount).toBe(0);
  });

  test("does not ask for a refresh for 30 seconds after one that failed", () => {
    const cache = new AnswerCache();
    cache.put("k", ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    cache.putFailure("k", FAILURE, at(100));
    expect(cache.stale("k", at(129))).toMatchObject({ cached: { answer: ANSWER }, refreshDue: false });
    expect(cache.stale("k", at(130))).toMatchObject({ refreshDue: true });
  });

  test("keeps a failure for two seconds where nothing better is known, and never stale", () => {
    const cache = new AnswerCache();
    cache.putFailure("k", FAILURE, at(0));
    expect([cache.fresh("k", at(1.9))?.answer, cache.fresh("k", at(2)), cache.stale("k", at(2))]).toEqual([
      FAILURE,
      undefined,
      undefined,
    ]);
  });

  test("holds 10,000 answers, and gives up the one not used for longest", () => {
    const cache = new AnswerCache();
    for (let i = 0; i < 10_000; i++) cache.put(`k${i}`, ANSWER, { ttlSeconds: 60, negative: false }, at(0));
    cache.fresh("k0", at(1));
    cache.stale("k1", at(61));
    for (let i = 0; i < 9_998; i++) cache.putFailure(`failed${i}`, FAILURE, at(61));
    const kept = ["k0", "k1", "k2", "k9999"].map((key) => cache.stale(key, at(61)) !== undefined);
    expect([cache.entryCount, kept]).toEqual([10_000, [true, true, false, false]]);
  });

  test("holds four megabytes, counted exactly", () => {
    const cache = new AnswerCache();
    const large = { ...ANSWER, body: new Uint8Array(60_000) };
    for (let i = 0; i < 200; i++) cache.put(`k${i % 150}`, large, { ttlSeconds: 60, negative: false }, at(0));
    expect(cache.sizeBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(cache.entryCount).toBe(Math.floor((4 * 1024 * 1024) / (60_000 + 300 + 4)));
  });
});
