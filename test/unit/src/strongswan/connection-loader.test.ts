import { afterEach, beforeEach, expect, test } from "bun:test";
import { seconds } from "../../../../src/base/duration.ts";
import { CharonCommands } from "../../../../src/strongswan/charon-commands.ts";
import { ConnectionLoader } from "../../../../src/strongswan/connection-loader.ts";
import { ViciSession } from "../../../../src/strongswan/vici-session.ts";
import { tunnelConnection } from "../../../support/association-objects.ts";
import { FakeCharon } from "../../../support/fake-charon.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const CONNECTIONS = ["paris.e2", "paris.e3"].map((name) => tunnelConnection({ name }));
const WANTED = {
  localId: "C=CN, O=fabedge.io, CN=paris.e1",
  connections: CONNECTIONS,
  credentials: { certificates: ["PEM"], privateKeys: ["KEY"], authorities: [] },
};

let charon: FakeCharon;
let session: ViciSession;
let clock: SteppedClock;
let loader: ConnectionLoader;
/** What charon has. */
let names: readonly string[];

beforeEach(async () => {
  charon = await FakeCharon.start();
  clock = new SteppedClock();
  session = await ViciSession.open(charon.path, clock, () => {});
  loader = new ConnectionLoader(clock);
  names = CONNECTIONS.map(({ name }) => name);
  charon.answers.set("get-conns", () => ({ conns: names }));
  await sync();
});
afterEach(async () => {
  session.close();
  await charon[Symbol.asyncDispose]();
});

/** @returns what was asked for of connections */
async function sync(): Promise<readonly string[]> {
  const before = charon.asked.length;
  await loader.sync(new CharonCommands(session), WANTED, CONNECTIONS);
  return charon.asked.slice(before).filter((command) => command.includes("conn"));
}

test("who looks whether all are there still asks for their names alone", async () => {
  expect(await sync()).toEqual([]);
  await clock.advance(seconds(10));
  expect(loader.isDue).toBe(true);
  expect(await sync()).toEqual(["get-conns"]);
  expect(await sync()).toEqual([]);
});

test("one that somebody took away is loaded again", async () => {
  names = ["paris.e3"];
  await clock.advance(seconds(10));
  expect(await sync()).toEqual(["get-conns", "load-conn"]);
});

test("what is in them is asked for when there is one that nobody knows, and in a new session", async () => {
  names = [...names, "office"];
  await clock.advance(seconds(10));
  expect((await sync()).slice(0, 2)).toEqual(["get-conns", "list-conns"]);
  loader.reset();
  expect((await sync()).slice(0, 2)).toEqual(["list-conns", "load-conn"]);
});

test("names that may not fit one packet are not asked for alone", async () => {
  const name = (i: number) => `paris.${i}`.padEnd(255, "e");
  const long = Array.from({ length: 1_020 }, (_, i) => tunnelConnection({ name: name(i), children: [] }));
  const again = () => loader.sync(new CharonCommands(session), { ...WANTED, connections: long }, long);
  await again();
  await clock.advance(seconds(10));
  const before = charon.asked.length;
  await again();
  expect(charon.asked[before]).toBe("list-conns");
});
