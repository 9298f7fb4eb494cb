import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Forwarded, Forwarder, type ForwardQuestion } from "../../../../edge/dns/forwarder.ts";
import { readAnswer } from "../../../../edge/dns/resolver.ts";
import { UpstreamSockets } from "../../../../edge/dns/upstream-sockets.ts";
import { type Duration, milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { ExtendedError, Flag, Rcode, RecordType } from "../../../../src/wire/dns.ts";
import { formatRecordData, soaRecord } from "../../../../src/wire/dns-record.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { randomWord } from "../../../support/dns-server.ts";
import { type Behaviour, FakeUpstream, fails, says, silent } from "../../../support/fake-upstream.ts";
import { dnsName, ip } from "../../../support/network-objects.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const QUESTION: ForwardQuestion = {
  name: dnsName("www.example.com"),
  type: RecordType.A,
  dnssecOk: false,
  checkingDisabled: false,
};
/** A name of its own each time: nothing is in the cache. */
let names = 0;
function newQuestion(): ForwardQuestion {
  return { ...QUESTION, name: dnsName(`n${names++}.example.com`) };
}

let clock: SteppedClock;
let scope: Scope;
let health: Health;
let metrics: Metrics;
let fakes: FakeUpstream[];

beforeEach(() => {
  clock = new SteppedClock();
  scope = new Scope();
  health = new Health(
    () => 0,
    () => {},
  );
  metrics = new Metrics("selvedge");
  fakes = [];
});

afterEach(async () => {
  await scope.close();
  for (const fake of fakes) fake.close();
});

/** A forwarder to fakes, after their first probes. */
async function forwardTo(...behaviours: readonly Behaviour[]): Promise<Forwarder> {
  fakes = await Promise.all(behaviours.map((behaviour) => FakeUpstream.start(behaviour)));
  const transport = new UpstreamSockets(clock);
  const forwarder = new Forwarder({ clock, random: () => 0.5, randomWord, health, metrics, transport }, scope);
  forwarder.pool.replace(fakes.map((fake) => fake.server));
  await waitFor("a probe at each upstream", () => fakes.every((fake) => fake.asked.length > 0));
  return forwarder;
}

function fake(i: number): FakeUpstream {
  const found = fakes[i];
  if (found === undefined) throw new Error(`no fake ${i}`);
  return found;
}

/** "source: addresses", or "failed" with the extended error. */
function text(outcome: Forwarded, name = QUESTION.name): string {
  if (outcome.kind === "failed") return `failed: ${outcome.extendedError}`;
  const { answer } = outcome.cached;
  const shown = readAnswer(name, 1, {
    answer,
    ttl: { kind: "stored" },
    source: outcome.source,
    extendedError: undefined,
  });
  return `${outcome.source}: ${shown?.answers.map(formatRecordData).join(" ")}`;
}

/** The probes that were asked for after the first one have been answered: nothing is waited for. */
async function probesEnd(): Promise<void> {
  await waitFor("the end of the probes", () => clock.pending === 0);
}

/** Lets sockets work in real time, and steps the clock until the promise is settled or `most` has passed. */
async function steppedTo<T>(promise: Promise<T>, most: Duration): Promise<{ value: T; tookSeconds: number }> {
  const started = clock.now();
  let settled = false;
  void promise.finally(() => {
    settled = true;
  });
  await waitFor("the outcome", async () => {
    if (!settled && clock.now() - started < most) await clock.advance(milliseconds(100));
    return settled;
  });
  return { value: await promise, tookSeconds: (clock.now() - started) / 1000 };
}

describe("a question", () => {
  test("goes upstream once, and then comes from the cache with its TTL running down", async () => {
    const forwarder = await forwardTo(says("192.0.2.1", 60));
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.1");
    await clock.advance(seconds(59));
    expect(text(await forwarder.answer(QUESTION))).toBe("cache: 192.0.2.1");
    expect(fake(0).questions().length).toBe(1);
    await clock.advance(seconds(1));
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.1");
  });

  test("asked by many at once goes upstream once", async () => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => forwarder.answer(QUESTION)));
    expect([new Set(outcomes.map((one) => text(one))), fake(0).questions().length]).toEqual([
      new Set(["upstream: 192.0.2.1"]),
      1,
    ]);
  });

  test("carries DO and CD, and its answers are kept apart by them", async () => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    await forwarder.answer(QUESTION);
    await forwarder.answer({ ...QUESTION, dnssecOk: true });
    await forwarder.answer({ ...QUESTION, checkingDisabled: true });
    expect(
      fake(0)
        .questions()
        .map((q) => [q.edns?.dnssecOk, (q.flags & Flag.CheckingDisabled) !== 0]),
    ).toEqual([
      [false, false],
      [true, false],
      [false, true],
    ]);
  });

  test("comes from a source port and with an id of its own each time", async () => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    for (let i = 0; i < 20; i++) await forwarder.answer(newQuestion());
    expect(new Set(fake(0).ports).size).toBeGreaterThan(15);
    expect(new Set(fake(0).asked.map((query) => query.id)).size).toBeGreaterThan(15);
  });

  test("is answered with TC over UDP and whole over TCP", async () => {
    const whole = says("192.0.2.7");
    const forwarder = await forwardTo((query, transport) =>
      transport === "udp" ? [{ flags: Flag.Truncated }] : whole(query, transport),
    );
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.7");
  });

  test("for a name that is not there is kept as long as the SOA says (RFC 2308)", async () => {
    const zone = dnsName("example.com");
    const soa = soaRecord(zone, 600, {
      primary: zone,
      mailbox: zone,
      serial: 1,
      refreshSeconds: 1,
      retrySeconds: 1,
      expireSeconds: 1,
      minimumSeconds: 20,
    });
    const forwarder = await forwardTo(() => [{ flags: Rcode.NxDomain, authorities: [soa] }]);
    await forwarder.answer(QUESTION);
    await clock.advance(seconds(19));
    expect((await forwarder.answer(QUESTION)).kind === "answer" && fake(0).questions().length).toBe(1);
    await clock.advance(seconds(1));
    await forwarder.answer(QUESTION);
    expect(fake(0).questions().length).toBe(2);
  });

  test("for a name that is not there is not kept without an SOA", async () => {
    const forwarder = await forwardTo(() => [{ flags: Rcode.NxDomain }]);
    await forwarder.answer(QUESTION);
    await forwarder.answer(QUESTION);
    expect([fake(0).questions().length, forwarder.cache.entryCount]).toEqual([2, 0]);
  });
});

test("a question after the end is not asked", async () => {
  const forwarder = await forwardTo(says("192.0.2.1"));
  await probesEnd();
  await scope.close();
  expect(text(await forwarder.answer(QUESTION))).toBe("failed: undefined");
  expect([fake(0).questions(), clock.pending]).toEqual([[], 0]);
});

describe("a forged answer", () => {
  const right = says("192.0.2.1");
  test.each([
    ["another id", (bytes: Uint8Array) => bytes.with(0, (bytes[0] ?? 0) ^ 1)],
    ["another name", (bytes: Uint8Array) => bytes.with(13, "x".charCodeAt(0))],
    ["another type", (bytes: Uint8Array) => bytes.with(12 + QUESTION.name.length + 1, 28)],
    ["another class", (bytes: Uint8Array) => bytes.with(12 + QUESTION.name.length + 3, 3)],
    ["no QR", (bytes: Uint8Array) => bytes.with(2, (bytes[2] ?? 0) & 0x7f)],
    ["no question", (bytes: Uint8Array) => bytes.with(5, 0)],
    ["a broken record", (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 20)],
    ["nothing", () => new Uint8Array(0)],
  ])("with %s is passed over, and the true one taken", async (_, spoil) => {
    const forwarder = await forwardTo(right);
    fake(0).behaviour = (query) => {
      const name = query.questions[0]?.name ?? QUESTION.name;
      const forged = says("203.0.113.66")(query, "udp").map((reply) => ({ ...reply, spoil }));
      return name === QUESTION.name ? [...forged, ...right(query, "udp")] : right(query, "udp");
    };
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.1");
  });

  test("from another socket does not reach us", async () => {
    const forwarder = await forwardTo(silent);
    const answer = forwarder.answer(QUESTION);
    await waitFor("the question", () => fake(0).questions()[0]);
    const [query] = fake(0).questions();
    const forger = await FakeUpstream.start(says("203.0.113.66"));
    fakes.push(forger);
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { error: () => {} } });
    const packet = new Uint8Array(12 + QUESTION.name.length + 4);
    packet.set([(query?.id ?? 0) >> 8, (query?.id ?? 0) & 0xff, 1, 0, 0, 1]);
    packet.set(
      Uint8Array.from(QUESTION.name, (c) => c.charCodeAt(0)),
      12,
    );
    packet.set([0, 1, 0, 1], 12 + QUESTION.name.length);
    for (const reply of forger.reply(packet, "udp")) socket.send(reply, fake(0).ports.at(-1) ?? 0, "127.0.0.1");
    socket.close();
    const { value } = await steppedTo(answer, seconds(4));
    expect(text(value)).toBe(`failed: ${ExtendedError.NoReachableAuthority}`);
  });
});

describe("a bad upstream", () => {
  test("that says nothing is passed by after 0.8 seconds", async () => {
    const forwarder = await forwardTo(silent, says("192.0.2.2"));
    const { value, tookSeconds } = await steppedTo(forwarder.answer(QUESTION), seconds(4));
    expect([text(value), tookSeconds >= 0.8, tookSeconds <= 1.2]).toEqual(["upstream: 192.0.2.2", true, true]);
  });

  test.each([Rcode.ServFail, Rcode.Refused, Rcode.NotImp, Rcode.FormErr])(
    "that fails with rcode %d is passed by at once",
    async (rcode) => {
      const forwarder = await forwardTo(fails(rcode), says("192.0.2.2"));
      expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.2");
      expect([fake(0).questions().length, clock.now()].map(Number)).toEqual([1, 0]);
    },
  );

  test("whose late answer comes before any other's is taken", async () => {
    const forwarder = await forwardTo(silent, silent);
    const answer = forwarder.answer(QUESTION);
    await waitFor("the question", () => fake(0).questions().length === 1);
    await clock.advance(seconds(1));
    await waitFor("the second upstream's turn", () => fake(1).questions().length === 1);
    fake(0).answerLate(says("192.0.2.1"));
    expect(text(await answer)).toBe("upstream: 192.0.2.1");
    expect(clock.now()).toBe(1000 as ReturnType<typeof clock.now>);
  });

  test("is not asked once its probe has no answer either, but probed until it answers", async () => {
    const forwarder = await forwardTo(silent, says("192.0.2.2"));
    await steppedTo(forwarder.answer(newQuestion()), seconds(4));
    await clock.advance(seconds(2));
    expect(forwarder.pool.list().map((upstream) => upstream.state)).toEqual(["down", "up"]);
    const before = fake(0).questions().length;
    for (let i = 0; i < 5; i++) await forwarder.answer(newQuestion());
    expect(fake(0).questions().length).toBe(before);
    fake(0).behaviour = says("192.0.2.1");
    await waitFor("the upstream's return", async () => {
      await clock.advance(seconds(1));
      return forwarder.pool.list()[0]?.state === "up";
    });
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.1");
  });

  test("is not what a name makes of it whose own servers are away", async () => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    fake(0).behaviour = (query, transport) =>
      query.questions[0]?.name === QUESTION.name ? [] : says("192.0.2.1")(query, transport);
    const { value, tookSeconds } = await steppedTo(forwarder.answer(QUESTION), seconds(5));
    expect([text(value), tookSeconds]).toEqual([`failed: ${ExtendedError.NoReachableAuthority}`, 3.5]);
    await probesEnd();
    expect(fake(0).asked.length - fake(0).questions().length).toBeGreaterThan(1);
    expect(forwarder.pool.list()[0]?.state).toBe("up");
    expect(health.list()).toEqual([]);
  });

  test.each([
    ["says nothing", silent],
    ["breaks off", () => [{ spoil: () => new Uint8Array(0) }]],
  ] as const)("is not one whose TCP port %s", async (_, overTcp) => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    fake(0).behaviour = (query, transport) => {
      if (query.questions[0]?.name !== QUESTION.name) return says("192.0.2.1")(query, transport);
      return transport === "udp" ? [{ flags: Flag.Truncated }] : overTcp(query, transport);
    };
    const { value } = await steppedTo(forwarder.answer(QUESTION), seconds(5));
    expect(value.kind).toBe("failed");
    await probesEnd();
    expect([forwarder.pool.list()[0]?.state, forwarder.pool.list()[0]?.lastFailure]).toEqual(["up", undefined]);
  });

  test("is known before anybody asks", async () => {
    await forwardTo(silent);
    await clock.advance(seconds(5));
    expect(health.list().map(({ code, severity }) => [code, severity])).toEqual([["DNS_UPSTREAMS_DOWN", "degraded"]]);
  });

  test("that is the only one makes for SERVFAIL after 3.5 seconds at first, and then after 0.8", async () => {
    const forwarder = await forwardTo(silent);
    const first = await steppedTo(forwarder.answer(newQuestion()), seconds(5));
    expect([text(first.value), first.tookSeconds]).toEqual([`failed: ${ExtendedError.NoReachableAuthority}`, 3.5]);
    expect(health.list().map((condition) => condition.code)).toEqual(["DNS_UPSTREAMS_DOWN"]);
    const second = await steppedTo(forwarder.answer(newQuestion()), seconds(5));
    expect([text(second.value), second.tookSeconds]).toEqual([`failed: ${ExtendedError.NoReachableAuthority}`, 0.8]);
  });

  test("that knows only the names of its site is asked for them, though its probes get no answer", async () => {
    const forwarder = await forwardTo(silent, silent);
    await steppedTo(forwarder.answer(newQuestion()), seconds(5));
    expect(forwarder.pool.list().map((upstream) => upstream.state)).toEqual(["down", "down"]);
    const ofSite = says("192.0.2.1");
    fake(1).behaviour = (query, transport) =>
      query.questions[0]?.name === QUESTION.name ? ofSite(query, transport) : [];
    // The clock stands still.
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.1");
    expect(forwarder.pool.list().map((upstream) => upstream.state)).toEqual(["down", "up"]);
  });

  test("whose port is closed is a network error at once (RFC 8914)", async () => {
    const forwarder = await forwardTo(says("192.0.2.1"));
    fake(0).close();
    expect(text(await forwarder.answer(newQuestion()))).toBe(`failed: ${ExtendedError.NetworkError}`);
    expect([forwarder.pool.list()[0]?.state, forwarder.pool.list()[0]?.lastFailure]).toEqual(["down", "ECONNREFUSED"]);
  });
});

describe("a stale answer", () => {
  async function withStale(): Promise<Forwarder> {
    const forwarder = await forwardTo(says("192.0.2.1", 60));
    await forwarder.answer(QUESTION);
    await clock.advance(seconds(61));
    return forwarder;
  }

  test("goes out after 1.8 seconds when the upstream is slow, and is refreshed behind", async () => {
    const forwarder = await withStale();
    fake(0).behaviour = silent;
    const { value, tookSeconds } = await steppedTo(forwarder.answer(QUESTION), seconds(4));
    expect([text(value), tookSeconds]).toEqual(["stale: 192.0.2.1", 1.8]);
    fake(0).answerLate(says("192.0.2.9"));
    await waitFor("the refresh", () => text(forwarder.answerNow(QUESTION) ?? value) === "cache: 192.0.2.9");
  });

  test("goes out at once within 30 seconds of a failed refresh", async () => {
    const forwarder = await withStale();
    fake(0).behaviour = fails(Rcode.ServFail);
    expect(text(await forwarder.answer(QUESTION))).toBe("stale: 192.0.2.1");
    const before = fake(0).questions().length;
    await clock.advance(seconds(29));
    expect(text(await forwarder.answer(QUESTION))).toBe("stale: 192.0.2.1");
    expect(fake(0).questions().length).toBe(before);
    fake(0).behaviour = says("192.0.2.9");
    await clock.advance(seconds(1));
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.9");
  });

  test("goes out at once when all upstreams are down, and is refreshed behind", async () => {
    const forwarder = await withStale();
    fake(0).behaviour = silent;
    await steppedTo(forwarder.answer(newQuestion()), seconds(5));
    expect(forwarder.pool.isUp).toBe(false);
    const before = clock.now();
    expect([text(await forwarder.answer(QUESTION)), clock.now()]).toEqual(["stale: 192.0.2.1", before]);
    await waitFor("the question", () => fake(0).questions().at(-1)?.questions[0]?.name === QUESTION.name);
    fake(0).answerLate(says("192.0.2.9"));
    await waitFor("the refresh", () => forwarder.cache.fresh(`${QUESTION.name}1 `, clock.now()));
    expect(text(await forwarder.answer(QUESTION))).toBe("cache: 192.0.2.9");
  });

  test("is replaced by what the upstream says in time", async () => {
    const forwarder = await withStale();
    fake(0).behaviour = says("192.0.2.5");
    expect(text(await forwarder.answer(QUESTION))).toBe("upstream: 192.0.2.5");
  });
});

describe("an upstream that leads back to us", () => {
  test("is seen by its probe, reported and not asked", async () => {
    const forwarder = await forwardTo(silent);
    const probe = fake(0).asked[0]?.questions[0]?.name ?? QUESTION.name;
    expect(forwarder.pool.sawQuestion(QUESTION.name)).toBe(false);
    expect(forwarder.pool.sawQuestion(probe)).toBe(true);
    expect([forwarder.pool.list()[0]?.state, forwarder.pool.usable()]).toEqual(["loop", []]);
    expect(health.list().map((condition) => condition.code)).toEqual(["DNS_FORWARD_LOOP", "DNS_UPSTREAMS_DOWN"]);
    // The next probe comes back, too, and gets our own answer.
    fake(0).behaviour = (query) => {
      forwarder.pool.sawQuestion(query.questions[0]?.name ?? QUESTION.name);
      return [{ flags: Rcode.Refused }];
    };
    const nextProbe = async (count: number) => {
      await clock.advance(seconds(59));
      await waitFor("the next probe", async () => {
        await clock.advance(milliseconds(100));
        return fake(0).asked.length === count;
      });
    };
    await nextProbe(2);
    await waitFor("its answer's arrival", () => clock.pending === 1);
    expect(forwarder.pool.list()[0]?.state).toBe("loop");
    fake(0).behaviour = says("192.0.2.1");
    await nextProbe(3);
    await waitFor("the loop's end", () => forwarder.pool.list()[0]?.state === "up");
    expect(clock.now()).toBeGreaterThanOrEqual(seconds(120));
    expect(health.list()).toEqual([]);
  });
});

test("a question that is answered does not end a loop, for another upstream may have answered it", async () => {
  const forwarder = await forwardTo(silent);
  const answer = forwarder.answer(QUESTION);
  await waitFor("the question", () => fake(0).questions()[0]);
  forwarder.pool.sawQuestion(fake(0).asked[0]?.questions[0]?.name ?? QUESTION.name);
  fake(0).answerLate(says("192.0.2.1"));
  expect(text(await answer)).toBe("upstream: 192.0.2.1");
  expect(forwarder.pool.list()[0]?.state).toBe("loop");
});

describe("the list of upstreams", () => {
  test("may be empty for good, which is worth knowing and no more", async () => {
    const forwarder = await forwardTo();
    expect(health.list()).toMatchObject([{ code: "DNS_UPSTREAMS_DOWN", severity: "info" }]);
    expect(forwarder.answerNow(QUESTION)).toEqual({
      kind: "failed",
      extendedError: ExtendedError.NoReachableAuthority,
    });
  });

  test("may change: those that stay keep their state, the others are forgotten", async () => {
    const forwarder = await forwardTo(silent, says("192.0.2.2"));
    await steppedTo(forwarder.answer(newQuestion()), seconds(4));
    await clock.advance(seconds(2));
    forwarder.pool.replace([fake(0).server, { address: ip("127.0.0.1"), port: 1 }]);
    expect(forwarder.pool.list().map(({ server, state }) => [server.port, state])).toEqual([
      [fake(0).server.port, "down"],
      [1, "up"],
    ]);
  });
});
