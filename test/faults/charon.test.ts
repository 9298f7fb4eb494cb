import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { Scope } from "../../src/base/scope.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { TunnelConnection } from "../../src/network/tunnel-connection.ts";
import { ConnectionKeeper } from "../../src/strongswan/connection-keeper.ts";
import { HALF_OPEN_MAX } from "../../src/strongswan/keeper-plan.ts";
import type { WantedTunnels } from "../../src/strongswan/tunnel-state.ts";
import { encodeViciPacket } from "../../src/wire/vici.ts";
import type { ViciFields } from "../../src/wire/vici-message.ts";
import { waitFor } from "../lab/wait-for.ts";
import { tunnelConnection } from "../support/association-objects.ts";
import { type CharonNode, CharonWorld } from "../support/charon-world.ts";
import { FakeCharon } from "../support/fake-charon.ts";
import { loadPeers } from "../support/many-peers.ts";

const PEERS = 50;

let world: CharonWorld;
let edge: CharonNode;
let hub: CharonNode;
let connections: readonly TunnelConnection[];

beforeAll(async () => {
  world = await CharonWorld.create();
  edge = await world.node("e1");
  hub = await world.node("hub", { role: "connector" });
  connections = await loadPeers(world, hub, edge, PEERS);
  edge.want(...connections);
  await allUp();
}, 60_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

const upCount = () => edge.keeper.tunnels().filter(({ phase }) => phase === "up").length;
const allUp = () => waitFor("all tunnels", () => upCount() === PEERS, { timeout: seconds(10) });
/** Of this charon, and not as the keeper remembers them from the one before. */
const sasOfCharon = async () => Number(/IKE_SAs: (\d+) total/.exec(await edge.charon.swanctl("--stats"))?.[1]);

describe("charon", () => {
  test("that crashes is missed at once, and when it is back, empty, so are all tunnels within ten seconds", async () => {
    edge.charonStates.length = 0;
    await edge.charon.kill();
    await waitFor("the loss", () => edge.keeper.charon.phase === "absent", { timeout: seconds(5) });
    expect(edge.keeper.charon.failure).toContain("Cannot speak with charon");
    await edge.charon.start();
    const started = performance.now();
    await waitFor("its connections", async () => (await edge.charon.swanctl("--list-conns")).includes("paris.p49"), {
      timeout: seconds(2),
    });
    await waitFor("its SAs", async () => (await sasOfCharon()) === PEERS && upCount() === PEERS, {
      timeout: seconds(10),
    });
    console.log(`${PEERS} tunnels up ${Math.round(performance.now() - started)} ms after charon came back`);
  }, 30_000);

  test("that restarts by itself, cleanly, has everything back, too", async () => {
    await edge.charon.stop();
    await edge.charon.start();
    await waitFor("its connections", async () => (await edge.charon.swanctl("--list-conns")).includes("paris.p49"), {
      timeout: seconds(2),
    });
    await waitFor("its SAs", async () => (await sasOfCharon()) === PEERS && upCount() === PEERS, {
      timeout: seconds(10),
    });
  }, 30_000);

  test("that hangs is noticed within five seconds, and goes on with its SAs when it wakes up", async () => {
    const before = edge.keeper
      .tunnels()
      .map((state) => state.associations[0]?.initiatorSpi)
      .sort();
    const hanging = edge.charon.hang();
    const begun = performance.now();
    await waitFor("the silence", () => edge.keeper.charon.phase === "silent", { timeout: seconds(5) });
    console.log(`noticed after ${Math.round(performance.now() - begun)} ms`);
    // Whatever is asked meanwhile fails by itself.
    expect(await edge.keeper.associations("paris.p0").catch(({ code }) => code)).toBe("CHARON_ABSENT");
    for (let i = 0; i < 10; i++) edge.want(...connections.slice(0, PEERS - (i % 2)));
    edge.want(...connections);
    hanging[Symbol.dispose]();
    await waitFor("charon back", () => edge.keeper.charon.phase === "connected", { timeout: seconds(10) });
    await allUp();
    const after = edge.keeper
      .tunnels()
      .map((state) => state.associations[0]?.initiatorSpi)
      .sort();
    expect(after).toEqual(before);
  }, 30_000);
});

describe("a program that is no good charon", () => {
  const silent = { onTunnel: () => {}, onTunnelGone: () => {}, onCharon: () => {} };
  const wanted = (count: number): WantedTunnels => ({
    localId: "C=CN, O=fabedge.io, CN=paris.e1",
    credentials: { certificates: ["certificate"], privateKeys: ["key"], authorities: ["authority"] },
    connections: Array.from({ length: count }, (_, i) => tunnelConnection({ name: `paris.p${i}` })),
  });
  let charon: FakeCharon;
  let scope: Scope;
  let keeper: ConnectionKeeper;
  beforeEach(async () => {
    charon = await FakeCharon.start();
    scope = new Scope();
    const clock = new SystemClock();
    keeper = new ConnectionKeeper(
      { viciSocket: charon.path, clock, random: Math.random, resolve: async () => [], listener: silent },
      scope,
    );
  });
  afterEach(async () => {
    await scope.close();
    await charon[Symbol.asyncDispose]();
  });

  test("that never begins anything is asked one thing at a time, and never to wait for an outcome", async () => {
    const timeouts: (string | undefined)[] = [];
    charon.answers.set("initiate", (request) => {
      timeouts.push("message" in request ? request.message.text("timeout") : undefined);
      return { success: true };
    });
    keeper.want(wanted(PEERS));
    await waitFor("some tries", () => timeouts.length > HALF_OPEN_MAX);
    expect(new Set(timeouts)).toEqual(new Set(["-1"]));
    expect([charon.mostUnanswered, charon.mostSessions]).toEqual([1, 1]);
  });

  test.each([
    ["half an answer and no more", Buffer.from("000000200101", "hex")],
    ["an answer of four gigabytes", Buffer.from("fffffff001", "hex")],
    ["lists without an end", Buffer.from("0000000401040161", "hex")],
    ["sections beyond all depth", encodeViciPacket({ type: "command-response", fields: nested(40) })],
  ])(
    "that sends %s is left, and connected anew until it makes sense",
    async (_, bytes) => {
      charon.answers.set("list-sas", () => bytes);
      keeper.want(wanted(3));
      const attempts = () => charon.asked.filter((name) => name === "version").length;
      await waitFor("three sessions", () => attempts() >= 3, { timeout: seconds(15) });
      await waitFor("a reason", () => ["CHARON_STRANGE", "CHARON_SILENT"].includes(codeOf(keeper.charon.failure)));
      expect(charon.mostSessions).toBe(1);
      charon.answers.delete("list-sas");
      await waitFor("a tunnel begun", () => charon.asked.includes("initiate"), { timeout: seconds(15) });
      expect(keeper.charon.phase).toBe("connected");
    },
    40_000,
  );

  test("that floods us with words and names that nobody knows changes nothing", async () => {
    keeper.want(wanted(3));
    await waitFor("a session", () => keeper.charon.phase === "connected");
    for (let i = 0; i < 5_000; i++) {
      charon.raise("log", { "ikesa-name": `stranger-${i}`, "ikesa-uniqueid": i, msg: `failed ${"x".repeat(1000)}` });
      charon.raise(`event-${i}`, { unknown: ["key"], section: { of: { no: "use" } } });
    }
    const asked = charon.asked.length;
    await waitFor("further questions", () => charon.asked.length > asked);
    expect(keeper.tunnels().map(({ name }) => name)).toEqual(["paris.p0", "paris.p1", "paris.p2"]);
    expect(charon.mostSessions).toBe(1);
  });
});

function nested(depth: number): ViciFields {
  let fields: ViciFields = {};
  for (let i = 0; i < depth; i++) fields = { deeper: fields };
  return fields;
}

/** By the sentence that people see. */
function codeOf(failure: string | undefined): string {
  return failure?.includes("is not understood")
    ? "CHARON_STRANGE"
    : failure?.includes("does not answer")
      ? "CHARON_SILENT"
      : `${failure}`;
}
