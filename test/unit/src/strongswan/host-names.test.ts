import { expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { HostNames } from "../../../../src/strongswan/host-names.ts";
import { SteppedClock, settle } from "../../../support/stepped-clock.ts";

function world() {
  const clock = new SteppedClock();
  const scope = new Scope();
  const answers = new Map<string, readonly string[]>();
  const asked: string[] = [];
  let changes = 0;
  const names = new HostNames(
    async (name) => {
      asked.push(name);
      const found = answers.get(name);
      if (found === undefined) throw new Error("SERVFAIL");
      return found;
    },
    clock,
    scope,
    () => (changes += 1),
  );
  return { clock, scope, answers, asked, names, changes: () => changes };
}

test("addresses stand for themselves and are never asked for", async () => {
  const { names, asked } = world();
  names.want(["192.168.1.2", "fd00::2"]);
  await settle();
  expect(names.addresses(["192.168.1.2", "fd00::2"]) as readonly string[]).toEqual(["192.168.1.2", "fd00::2"]);
  expect(asked).toEqual([]);
});

test("a name is asked for until it is known, and each minute from then on; a change is told", async () => {
  const { names, asked, answers, clock, changes } = world();
  names.want(["edge.example"]);
  await clock.advance(seconds(12));
  expect(names.addresses(["edge.example"])).toEqual([]);
  expect(asked).toHaveLength(3);
  answers.set("edge.example", ["192.0.2.9", "192.0.2.8", "nonsense"]);
  await clock.advance(seconds(5));
  expect(names.addresses(["192.0.2.1", "edge.example"]) as readonly string[]).toEqual([
    "192.0.2.1",
    "192.0.2.8",
    "192.0.2.9",
  ]);
  expect(changes()).toBe(1);
  const known = asked.length;
  await clock.advance(seconds(65));
  expect([asked.length - known, changes()]).toEqual([1, 1]);
  answers.set("edge.example", ["192.0.2.10"]);
  await clock.advance(seconds(60));
  expect([names.addresses(["edge.example"]) as readonly string[], changes()]).toEqual([["192.0.2.10"], 2]);
});

test("the family that the resolver puts first is tried first, and name servers that turn their answers around change nothing", async () => {
  const { names, answers, clock, changes } = world();
  const addresses = () => names.addresses(["edge.example"]) as readonly string[];
  answers.set("edge.example", ["47.98.0.9", "47.98.0.8", "2408:400::1"]);
  names.want(["edge.example"]);
  await settle();
  expect(addresses()).toEqual(["47.98.0.8", "47.98.0.9", "2408:400::1"]);
  answers.set("edge.example", ["47.98.0.8", "2408:400::1", "47.98.0.9"]);
  await clock.advance(seconds(60));
  expect(changes()).toBe(1);
  answers.set("edge.example", ["2408:400::1", "47.98.0.8", "47.98.0.9"]);
  await clock.advance(seconds(60));
  expect(addresses()).toEqual(["2408:400::1", "47.98.0.8", "47.98.0.9"]);
});

test("what was once known is kept while nobody answers, and forgotten when nobody wants it", async () => {
  const { names, asked, answers, clock } = world();
  answers.set("edge.example", ["192.0.2.9"]);
  names.want(["edge.example"]);
  await settle();
  answers.clear();
  await clock.advance(seconds(600));
  expect(names.addresses(["edge.example"]) as readonly string[]).toEqual(["192.0.2.9"]);
  names.want([]);
  const before = asked.length;
  await clock.advance(seconds(600));
  expect([names.addresses(["edge.example"]), asked.length - before, clock.pending]).toEqual([[], 0, 0]);
});

test("of a name with hundreds of addresses eight are tried, and one that is being asked for is not asked for again", async () => {
  const { names, answers, asked, clock, scope } = world();
  answers.set(
    "many.example",
    Array.from({ length: 300 }, (_, i) => `198.51.${i >> 8}.${i & 255}`),
  );
  names.want(["many.example"]);
  await settle();
  expect(names.addresses(["many.example"])).toHaveLength(8);
  const never = new HostNames(
    () => new Promise(() => asked.push("never")),
    clock,
    scope,
    () => {},
  );
  never.want(["slow.example"]);
  await clock.advance(seconds(30));
  expect(asked.filter((name) => name === "never")).toHaveLength(1);
  await scope.close();
});
