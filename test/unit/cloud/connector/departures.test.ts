import { expect, test } from "bun:test";
import { Departures } from "../../../../cloud/connector/departures.ts";
import { settle } from "../../../support/stepped-clock.ts";

function world() {
  const ended: string[] = [];
  const held = new Set<string>();
  const gates: PromiseWithResolvers<void>[] = [];
  const end = (edge: string) => {
    ended.push(edge);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  };
  const departures = new Departures({ end, holds: (edge) => held.has(edge) });
  return { departures, ended, held, gates };
}

test("a fleet that has gone at once is seen off one after the other, and nobody twice", async () => {
  const { departures, ended, gates } = world();
  const fleet = Array.from({ length: 200 }, (_, i) => `paris.e${i}`);
  const done = departures.add(fleet);
  void departures.add(["paris.e7", "paris.e200"]);
  for (let i = 0; i <= 200; i++) {
    expect(ended).toHaveLength(i + 1);
    gates[i]?.resolve();
    await settle();
  }
  await done;
  expect(ended).toEqual([...fleet, "paris.e200"]);
});

test("whoever has come again before its turn stays, and one that charon does not answer for holds up nobody", async () => {
  const { departures, ended, held, gates } = world();
  const done = departures.add(["paris.e1", "paris.e2", "paris.e3"]);
  held.add("paris.e2");
  gates[0]?.reject(new Error("charon went"));
  await settle();
  expect(ended).toEqual(["paris.e1", "paris.e3"]);
  gates[1]?.resolve();
  await done;
  void departures.add(["paris.e1"]);
  expect(ended).toEqual(["paris.e1", "paris.e3", "paris.e1"]);
});
