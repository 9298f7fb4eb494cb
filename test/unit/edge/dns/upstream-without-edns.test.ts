import { afterEach, beforeEach, expect, test } from "bun:test";
import { Forwarder, type ForwardQuestion } from "../../../../edge/dns/forwarder.ts";
import { readAnswer } from "../../../../edge/dns/resolver.ts";
import { UpstreamSockets } from "../../../../edge/dns/upstream-sockets.ts";
import { Health } from "../../../../src/base/health.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { HEADER_BYTES, Rcode, RecordType } from "../../../../src/wire/dns.ts";
import { OPT_BYTES } from "../../../../src/wire/dns-edns.ts";
import { formatRecordData } from "../../../../src/wire/dns-record.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { randomWord } from "../../../support/dns-server.ts";
import { type Behaviour, FakeUpstream, says } from "../../../support/fake-upstream.ts";
import { dnsName } from "../../../support/network-objects.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const QUESTION: ForwardQuestion = {
  name: dnsName("www.example.com"),
  type: RecordType.A,
  dnssecOk: true,
  checkingDisabled: false,
};

let clock: SteppedClock;
let scope: Scope;
let fakes: FakeUpstream[];

beforeEach(() => {
  clock = new SteppedClock();
  scope = new Scope();
});

afterEach(async () => {
  await scope.close();
  for (const fake of fakes) fake.close();
});

/** A forwarder to fakes whose first probes have ended. */
async function forwardTo(...behaviours: readonly Behaviour[]): Promise<Forwarder> {
  fakes = await Promise.all(behaviours.map((behaviour) => FakeUpstream.start(behaviour)));
  const health = new Health(
    () => 0,
    () => {},
  );
  const rest = { metrics: new Metrics("selvedge"), transport: new UpstreamSockets(clock) };
  const forwarder = new Forwarder({ clock, random: () => 0.5, randomWord, health, ...rest }, scope);
  forwarder.pool.replace(fakes.map((fake) => fake.server));
  await waitFor("the end of the probes", () => clock.pending === 0);
  return forwarder;
}

async function addresses(forwarder: Forwarder): Promise<readonly string[] | undefined> {
  const outcome = await forwarder.answer(QUESTION);
  if (outcome.kind === "failed") return undefined;
  const shown = { ttl: { kind: "stored" }, source: outcome.source, extendedError: undefined } as const;
  return readAnswer(QUESTION.name, QUESTION.type, { answer: outcome.cached.answer, ...shown })?.answers.map(
    formatRecordData,
  );
}

/** As a server that knows no EDNS writes it: without an OPT record, which stands last. */
function withoutOpt(bytes: Uint8Array): Uint8Array {
  const plain = bytes.slice(0, -OPT_BYTES);
  plain[11] = 0;
  return plain;
}

/** The least that such a server can say: not even the question. */
function headerOnly(bytes: Uint8Array): Uint8Array {
  const header = bytes.slice(0, HEADER_BYTES);
  header.fill(0, 4);
  return header;
}

test.each([
  ["FORMERR", Rcode.FormErr, withoutOpt],
  ["FORMERR and no question", Rcode.FormErr, headerOnly],
  ["NOTIMP", Rcode.NotImp, withoutOpt],
] as const)("an upstream that says %s to EDNS is up, and asked without it", async (_, rcode, spoil) => {
  const forwarder = await forwardTo((query, transport) =>
    query.edns === undefined ? says("192.0.2.1")(query, transport) : [{ flags: rcode, spoil }],
  );
  expect(await addresses(forwarder)).toEqual(["192.0.2.1"]);
  const asked = fakes[0]?.questions() ?? [];
  expect(asked.map((query) => query.edns?.dnssecOk)).toEqual([true, undefined]);
  expect(forwarder.pool.list().map((upstream) => upstream.state)).toEqual(["up"]);
});

test("an upstream that cannot read a question without EDNS either is passed by at once", async () => {
  const forwarder = await forwardTo(() => [{ flags: Rcode.FormErr, spoil: headerOnly }], says("192.0.2.2"));
  expect(await addresses(forwarder)).toEqual(["192.0.2.2"]);
  expect([fakes[0]?.questions().length, Number(clock.now())]).toEqual([2, 0]);
});

test("a header without a question that is no such refusal is not heard", async () => {
  const forwarder = await forwardTo((query, transport) => [
    ...[Rcode.NoError, Rcode.NxDomain, Rcode.ServFail, Rcode.Refused].map((flags) => ({ flags, spoil: headerOnly })),
    ...says("192.0.2.1")(query, transport),
  ]);
  expect(await addresses(forwarder)).toEqual(["192.0.2.1"]);
  expect(fakes[0]?.questions().length).toBe(1);
});
