import { describe, expect, test } from "bun:test";
import { PEER_SERIES_LIMIT, registerTunnelMetrics } from "../../../../edge/status/tunnel-metrics.ts";
import { TunnelView } from "../../../../edge/status/tunnel-view.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import { Metrics } from "../../../../src/base/metrics.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { SecretText } from "../../../../src/base/secret-text.ts";
import type { FabricIdentity } from "../../../../src/network/fabric-identity.ts";
import type { IkeAssociation } from "../../../../src/strongswan/security-association.ts";
import { tunnelState } from "../../../../src/strongswan/tunnel-look.ts";
import type { CharonState } from "../../../../src/strongswan/tunnel-state.ts";
import { childAssociation, ikeAssociation, tunnelConnection } from "../../../support/association-objects.ts";
import { SteppedClock, settle } from "../../../support/stepped-clock.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const ALL = ["p2p", "n2p", "p2n"] as const;
const CONNECTED: CharonState = { phase: "connected", version: "5.9.8", failure: undefined };
const PEERS = [makeEdgeEndpoint("paris.e3"), makeConnectorEndpoint("paris.connector"), makeEdgeEndpoint("paris.e2")];

/** A view of three peers whose tunnels are as the test says. */
function make() {
  const clock = new SteppedClock();
  const scope = new Scope();
  const health = new Health(
    () => clock.wall(),
    () => undefined,
  );
  const world = {
    charon: CONNECTED,
    down: new Set<string>(),
    ask: async () => {},
    fresh: undefined as readonly IkeAssociation[] | undefined,
    identity: {
      config: { endpoint: makeEdgeEndpoint("paris.e1"), peers: PEERS, mediator: undefined, peerShards: 0 },
      credentials: { certificates: [], key: new SecretText("key"), authorities: [] },
    } as FabricIdentity | undefined,
  };
  const stateOf = (name: string) => {
    const failure = { at: 0 as MonotonicTime, text: "giving up after 6 retransmits" };
    const connection = tunnelConnection({ name });
    return world.down.has(name)
      ? tunnelState(connection, [], true, failure)
      : tunnelState(connection, [ikeAssociation(1, ALL, { name })], true, undefined);
  };
  const keeper = {
    get charon() {
      return world.charon;
    },
    tunnel: stateOf,
    associations: async () => {
      await world.ask();
      if (world.fresh === undefined) throw new Error("charon went");
      return world.fresh;
    },
  };
  const options = {
    keeper,
    identity: () => world.identity,
    latency: (peer: string) => (peer === "paris.connector" ? milliseconds(12) : undefined),
    health,
    clock,
  };
  return { view: new TunnelView(options, scope), world, clock, health, scope };
}

describe("the view of tunnels", () => {
  test("is by the peers' names, with latency where it is known", () => {
    const { view } = make();
    expect(view.tunnels().map(({ peer, state, latencySeconds }) => [peer, state, latencySeconds])).toEqual([
      ["paris.connector", "up", 0.012],
      ["paris.e2", "up", null],
      ["paris.e3", "up", null],
    ]);
  });

  test("has charon's counters of now when it is asked, and the last known when charon goes in between", async () => {
    const { view, world } = make();
    world.fresh = [ikeAssociation(1, [], { children: [childAssociation(1, "p2p", { bytesIn: 42 })] })];
    expect((await view.freshTunnels()).map(({ children }) => children[0]?.bytesIn)).toEqual([42, 42, 42]);
    world.fresh = undefined;
    expect((await view.freshTunnels()).map(({ children }) => children.length)).toEqual([3, 3, 3]);
  });

  test("asks charon for one tunnel after the other", async () => {
    const { view, world } = make();
    let [asking, most] = [0, 0];
    world.ask = async () => {
      most = Math.max(most, ++asking);
      await settle();
      asking -= 1;
    };
    world.fresh = [];
    await view.freshTunnels();
    expect(most).toBe(1);
  });

  test("is empty before this node has heard of a fabric", async () => {
    const { view, world, clock, health } = make();
    world.identity = undefined;
    await clock.advance(seconds(20));
    expect(view.tunnels()).toEqual([]);
    expect(health.list()).toEqual([]);
  });
});

describe("a tunnel that is down", () => {
  test("is a condition at the second look, and none after it is up again", async () => {
    const { world, clock, health } = make();
    world.down.add("paris.connector");
    await clock.advance(seconds(5));
    expect(health.list()).toEqual([]);
    await clock.advance(seconds(5));
    const [condition] = health.list();
    expect(condition).toMatchObject({ code: "TUNNELS_DOWN", component: "tunnels", severity: "degraded" });
    expect(condition?.message).toBe(
      "Cannot reach 1 of 3 peers (paris.connector): Cannot reach paris.connector through its tunnel: giving up after 6 retransmits",
    );
    world.down.clear();
    await clock.advance(seconds(5));
    expect(health.list()).toEqual([]);
  });

  test("that was up at every look but one is none", async () => {
    const { world, clock, health } = make();
    for (const name of ["paris.connector", "paris.e2", "paris.e3"]) {
      world.down = new Set([name]);
      await clock.advance(seconds(5));
      expect(health.list()).toEqual([]);
    }
  });

  test("of a node at the edge is worth knowing only, unless it is everybody", async () => {
    const { world, clock, health } = make();
    world.down = new Set(["paris.e2", "paris.e3"]);
    await clock.advance(seconds(10));
    expect(health.list().map(({ severity }) => severity)).toEqual(["info"]);
    world.down.add("paris.connector");
    await clock.advance(seconds(10));
    expect(health.list().map(({ severity }) => severity)).toEqual(["degraded"]);
    expect(health.list()[0]?.message).toStartWith("Cannot reach 3 of 3 peers (paris.connector, paris.e2, paris.e3)");
  });

  test("is charon's trouble while charon is away", async () => {
    const { world, clock, health } = make();
    world.down.add("paris.connector");
    const look = async (phase: CharonState["phase"], version?: string) => {
      world.charon = { phase, version, failure: phase === "connected" ? undefined : "nobody listens" };
      await clock.advance(seconds(10));
      return health.list().map(({ code, severity }) => `${severity} ${code}`);
    };
    expect(await look("absent")).toEqual(["degraded CHARON_ABSENT"]);
    expect(health.list()[0]?.message).toBe("Cannot keep tunnels as charon is not there: nobody listens");
    expect(await look("silent")).toEqual(["degraded CHARON_SILENT"]);
    expect(await look("connected", "5.9.8")).toEqual(["degraded TUNNELS_DOWN"]);
  });

  test("has a charon with known holes beside it", async () => {
    const { world, clock, health } = make();
    const codes = async (version: string) => {
      world.charon = { phase: "connected", version, failure: undefined };
      await clock.advance(seconds(5));
      return health.list().map(({ code }) => code);
    };
    for (const old of ["5.9.7", "5.8.12", "4.9.9", "5.9"]) expect(await codes(old)).toEqual(["CHARON_OLD"]);
    for (const good of ["5.9.8", "5.9.10", "5.10.0", "6.0.3", "6.0.0dr1", "unknown"])
      expect(await codes(good)).toEqual([]);
  });

  test("is looked for until the scope ends", async () => {
    const { clock, scope } = make();
    await clock.advance(seconds(20));
    expect(clock.pending).toBe(1);
    await scope.close();
    expect(clock.pending).toBe(0);
  });
});

describe("metrics", () => {
  const samples = (metrics: Metrics) =>
    metrics
      .render()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));

  test("count tunnels by state, and bytes and packets by peer", () => {
    const { view, world } = make();
    world.down.add("paris.e2");
    const metrics = new Metrics("selvedge");
    registerTunnelMetrics(metrics, {
      tunnels: () => view.tunnels().slice(0, 2),
      charon: () => view.charon,
      certificateEnds: () => Date.UTC(2027, 0, 1),
    });
    expect(samples(metrics)).toEqual([
      'selvedge_tunnels{state="up"} 1',
      'selvedge_tunnels{state="partial"} 0',
      'selvedge_tunnels{state="connecting"} 0',
      'selvedge_tunnels{state="queued"} 1',
      'selvedge_tunnels{state="waiting"} 0',
      'selvedge_tunnels{state="down"} 0',
      'selvedge_tunnel_up{peer="paris.connector"} 1',
      'selvedge_tunnel_up{peer="paris.e2"} 0',
      'selvedge_tunnel_latency_seconds{peer="paris.connector"} 0.012',
      'selvedge_tunnel_received_bytes_total{peer="paris.connector"} 0',
      'selvedge_tunnel_received_bytes_total{peer="paris.e2"} 0',
      'selvedge_tunnel_sent_bytes_total{peer="paris.connector"} 0',
      'selvedge_tunnel_sent_bytes_total{peer="paris.e2"} 0',
      'selvedge_tunnel_received_packets_total{peer="paris.connector"} 0',
      'selvedge_tunnel_received_packets_total{peer="paris.e2"} 0',
      'selvedge_tunnel_sent_packets_total{peer="paris.connector"} 0',
      'selvedge_tunnel_sent_packets_total{peer="paris.e2"} 0',
      "selvedge_charon_connected 1",
      "selvedge_certificate_expiry_timestamp_seconds 1798761600",
    ]);
  });

  test("have series of their own for as many peers as are told apart, and count all", () => {
    const { view } = make();
    const [one] = view.tunnels();
    if (one === undefined) throw new Error("there is none");
    const many = Array.from({ length: PEER_SERIES_LIMIT + 9 }, (_, i) => ({ ...one, peer: `paris.e${i}` }));
    const metrics = new Metrics("selvedge");
    registerTunnelMetrics(metrics, { tunnels: () => many, charon: () => CONNECTED, certificateEnds: () => undefined });
    const lines = samples(metrics);
    expect(lines.filter((line) => line.startsWith("selvedge_tunnel_up{"))).toHaveLength(PEER_SERIES_LIMIT);
    expect(lines).toContain(`selvedge_tunnels{state="up"} ${PEER_SERIES_LIMIT + 9}`);
    expect(lines.some((line) => line.includes("expiry"))).toBe(false);
  });
});
