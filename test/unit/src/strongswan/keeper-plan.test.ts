import { describe, expect, test } from "bun:test";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { HALF_OPEN_MAX, planTunnels } from "../../../../src/strongswan/keeper-plan.ts";
import type { TunnelPlan } from "../../../../src/strongswan/tunnel-plan.ts";
import { ikeAssociation, tunnelConnection } from "../../../support/association-objects.ts";
import { PlanningEnd } from "../../../support/planning-end.ts";

const ALL = ["p2p", "n2p", "p2n"] as const;
const CONNECTING = { state: "CONNECTING" } as const;

describe("beginning", () => {
  test("the first child brings the IKE_SA, the others follow in it, and then there is nothing to do", () => {
    const end = new PlanningEnd(tunnelConnection());
    expect(end.see()).toEqual(["begin p2p"]);
    expect(end.after(10, ikeAssociation(1, [], CONNECTING))).toEqual([]);
    expect(end.after(10, ikeAssociation(1, ["p2p"]))).toEqual(["begin n2p", "begin p2n"]);
    expect(end.after(10, ikeAssociation(1, ["p2p"], { tasks: ["CHILD_CREATE"] }))).toEqual([]);
    expect(end.after(10, ikeAssociation(1, ALL))).toEqual([]);
    expect(end.wakeIn).toBeUndefined();
  });

  test("who has no address of the peer waits for it", () => {
    const end = new PlanningEnd(tunnelConnection({ remoteAddresses: [] }));
    expect(end.see()).toEqual([]);
    expect(end.after(60_000, ikeAssociation(1, ["p2p"], { initiator: false }))).toEqual([]);
  });

  test("of two ends that hear of each other at once, the one whose identity sorts later waits a moment", () => {
    const { localId, remoteId } = tunnelConnection();
    const end = new PlanningEnd(tunnelConnection({ localId: remoteId, remoteId: localId }));
    expect(end.see()).toEqual([]);
    expect(end.wakeIn).toBe(300);
    expect(end.after(300)).toEqual(["begin p2p"]);
  });

  test("a try that fails is repeated, later each time, and no later than half a minute", () => {
    const end = new PlanningEnd(tunnelConnection());
    const pauses: number[] = [];
    expect(end.see()).toEqual(["begin p2p"]);
    for (let i = 0; i < 8; i++) {
      end.after(16_000);
      pauses.push(end.wakeIn ?? 0);
      expect(end.after(end.wakeIn ?? 0)).toEqual(["begin p2p"]);
    }
    // Equal jitter, here in the middle: three quarters of 1, 2, 4, … s.
    expect(pauses).toEqual([750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500]);
  });

  test("a child that the peer refuses does not keep the others from coming, and is tried again later", () => {
    const end = new PlanningEnd(tunnelConnection());
    end.see();
    expect(end.after(20, ikeAssociation(1, []))).toEqual([]);
    expect(end.wakeIn).toBe(750);
    expect(end.after(750, ikeAssociation(1, []))).toEqual(["begin p2p", "begin n2p", "begin p2n"]);
    expect(end.after(20, ikeAssociation(1, ["n2p", "p2n"]))).toEqual(["begin p2p"]);
    expect(end.after(20, ikeAssociation(1, ["n2p", "p2n"]))).toEqual([]);
    expect(end.wakeIn).toBe(1500);
  });

  test("a peer with several addresses is tried at one after the other, and again at the one where it was", () => {
    const end = new PlanningEnd(tunnelConnection({ remoteAddresses: ["192.0.2.1", "192.168.1.2", "192.0.2.3"] }));
    const retry = () => {
      end.after(16_000);
      return end.after(end.wakeIn ?? 0);
    };
    expect([end.see(), retry(), retry(), retry(), retry()]).toEqual(
      ["192.0.2.1", "192.168.1.2", "192.0.2.3", "192.0.2.1", "192.168.1.2"].map((address) => [
        `begin p2p at ${address}`,
      ]),
    );
    expect(end.after(20, ikeAssociation(1, ["p2p"]))).toEqual(["begin n2p at 192.168.1.2", "begin p2n at 192.168.1.2"]);
    end.after(20, ikeAssociation(1, ALL));
    end.after(60_000);
    expect(end.after(end.wakeIn ?? 0)).toEqual(["begin p2p at 192.168.1.2"]);
  });

  test("an agent that starts goes on with the address that an earlier run has found", () => {
    const end = new PlanningEnd(tunnelConnection({ remoteAddresses: ["192.0.2.1", "192.168.1.2"] }));
    end.see(ikeAssociation(7, ALL));
    end.after(10);
    expect(end.after(end.wakeIn ?? 0)).toEqual(["begin p2p at 192.168.1.2"]);
  });

  test("children that the peer is making are left to it for three seconds", () => {
    const end = new PlanningEnd(tunnelConnection());
    const peers = ikeAssociation(1, ["p2p"], { initiator: false });
    expect(end.see(peers)).toEqual([]);
    expect(end.after(2_999, peers)).toEqual([]);
    expect(end.after(1, peers)).toEqual(["begin n2p", "begin p2n"]);
  });

  test("an agent that starts adopts what is there", () => {
    const end = new PlanningEnd(tunnelConnection());
    expect(end.see(ikeAssociation(7, ALL))).toEqual([]);
    expect(end.see(ikeAssociation(7, ALL, { state: "REKEYING" }))).toEqual([]);
  });
});

describe("pacing", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => tunnelConnection({ name: `paris.e${100 + i}` }));

  test("four are half-open at once, and the next begins when one is done", () => {
    const end = new PlanningEnd(...many(50));
    expect(end.see()).toHaveLength(HALF_OPEN_MAX);
    const coming = [100, 101, 102, 103].map((n) => ikeAssociation(n, [], { name: `paris.e${n}`, ...CONNECTING }));
    expect(end.after(50, ...coming)).toEqual([]);
    const [, ...rest] = coming;
    expect(end.after(50, ikeAssociation(100, ALL, { name: "paris.e100" }), ...rest)).toEqual(["begin p2p"]);
  });

  test("peers that are away take two places of the four, and those that were not tried yet go first", () => {
    const end = new PlanningEnd(...many(3));
    expect(end.see()).toHaveLength(3);
    end.after(16_000);
    end.now += 60_000;
    end.connections = many(6);
    const actions = end.see();
    expect(actions).toHaveLength(HALF_OPEN_MAX);
    const begun = [...end.tunnels].filter(([, { memory }]) => memory.trying !== undefined).map(([name]) => name);
    expect(begun).toEqual(["paris.e100", "paris.e103", "paris.e104", "paris.e105"]);
    end.connections = many(3);
    end.tunnels = new Map(
      [...end.tunnels].map(([name, plan]) => [name, { ...plan, memory: { ...plan.memory, trying: undefined } }]),
    );
    expect(end.after(60_000)).toHaveLength(2);
  });

  test("a connector waits behind nobody who is away, nor for an end that would come by itself", () => {
    const { localId, remoteId } = tunnelConnection();
    const connector = { name: "paris.connector", localId: remoteId, remoteId: localId, peerBegins: false };
    const end = new PlanningEnd(...many(50), tunnelConnection(connector));
    const begun = () => end.tunnels.get("paris.connector")?.memory.trying !== undefined;
    expect(end.see()).toHaveLength(HALF_OPEN_MAX + 1);
    expect(begun()).toBe(true);
    // One that failed goes on beside as many others as there may be.
    const away = [100, 101, 102, 103].map((n) => ikeAssociation(n, [], { name: `paris.e${n}`, ...CONNECTING }));
    end.after(500, ...away);
    expect(begun()).toBe(false);
    expect(end.after(750, ...away)).toEqual(["begin p2p"]);
    expect(begun()).toBe(true);
  });

  test("a tunnel that nothing has happened to is not planned again before its time", () => {
    const connections = many(3);
    const [a, b, c] = connections;
    if (a === undefined || b === undefined || c === undefined) throw new Error("there are three");
    const associations = new Map(connections.map(({ name }, i) => [name, [ikeAssociation(i, ALL, { name })]]));
    const plan = (now: number, tunnels: ReadonlyMap<string, TunnelPlan>) =>
      planTunnels({ now: now as MonotonicTime, random: () => 0.5, connections, associations, tunnels }).tunnels;
    const before = plan(0, new Map());
    // Of two complete ones the older goes in two seconds.
    associations.set(b.name, [ikeAssociation(10, ALL, { name: b.name }), ikeAssociation(1, ALL, { name: b.name })]);
    const now = plan(10, before);
    expect([now.get(a.name) === before.get(a.name), now.get(b.name) === before.get(b.name)]).toEqual([true, false]);
    const late = plan(5_000, now);
    expect([late.get(c.name) === before.get(c.name), late.get(b.name) === now.get(b.name)]).toEqual([true, false]);
  });

  test("after losing many peers at once the tries are spread", () => {
    const connections = many(40);
    const end = new PlanningEnd(...connections);
    end.see(...connections.map(({ name }, i) => ikeAssociation(i, ALL, { name })));
    expect(end.after(10)).toEqual([]);
    // Here in the middle of 40 times 50 ms.
    expect(end.wakeIn).toBe(1000);
  });

  test("one that is lost alone is begun nearly at once", () => {
    const end = new PlanningEnd(tunnelConnection());
    end.see(ikeAssociation(1, ALL));
    expect(end.after(10)).toEqual([]);
    expect(end.wakeIn).toBe(50);
  });
});
