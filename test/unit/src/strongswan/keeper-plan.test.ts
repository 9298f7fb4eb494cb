import { describe, expect, test } from "bun:test";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import type { TunnelConnection } from "../../../../src/network/tunnel-connection.ts";
import { HALF_OPEN_MAX, planTunnels } from "../../../../src/strongswan/keeper-plan.ts";
import type { IkeAssociation } from "../../../../src/strongswan/security-association.ts";
import { planReplacement, type TunnelAction, type TunnelPlan } from "../../../../src/strongswan/tunnel-plan.ts";
import { childAssociation, ikeAssociation, PEER, tunnelConnection } from "../../../support/association-objects.ts";

const ALL = ["p2p", "n2p", "p2n"] as const;
const CONNECTING = { state: "CONNECTING" } as const;

/** One end of tunnels as its clock goes on: what it sees is given, what it does is kept. */
class End {
  now = 1_000_000;
  tunnels: ReadonlyMap<string, TunnelPlan> = new Map();
  wakeIn: number | undefined;
  connections: readonly TunnelConnection[];

  constructor(...connections: readonly TunnelConnection[]) {
    this.connections = connections;
  }

  see(...associations: readonly IkeAssociation[]): readonly string[] {
    const plan = planTunnels({
      now: this.now as MonotonicTime,
      random: () => 0.5,
      connections: this.connections,
      associations: Map.groupBy(associations, ({ name }) => name),
      tunnels: this.tunnels,
    });
    this.tunnels = plan.tunnels;
    this.wakeIn = plan.wakeIn;
    return plan.actions.map(text);
  }

  after(ms: number, ...associations: readonly IkeAssociation[]): readonly string[] {
    this.now += ms;
    return this.see(...associations);
  }

  replace(...associations: readonly IkeAssociation[]): readonly string[] {
    const [connection] = this.connections;
    const before = this.tunnels.get(PEER);
    if (connection === undefined || before === undefined) throw new Error("nothing to replace");
    const plan = planReplacement({ ...before, connection }, associations, this.now as MonotonicTime);
    this.tunnels = new Map([[PEER, plan.tunnel]]);
    return plan.actions.map(text);
  }
}

function text(action: TunnelAction): string {
  if (action.do === "initiate") {
    const form = action.form === undefined ? "" : ` in ${action.form} form`;
    return `begin ${action.child.replace(`${action.connection}-`, "")}${form}`;
  }
  const which = "ikeId" in action.which ? `ike ${action.which.ikeId}` : `child ${action.which.childId}`;
  return `${action.force ? "force" : "end"} ${which}`;
}

describe("beginning", () => {
  test("the first child brings the IKE_SA, the others follow in it, and then there is nothing to do", () => {
    const end = new End(tunnelConnection());
    expect(end.see()).toEqual(["begin p2p"]);
    expect(end.after(10, ikeAssociation(1, [], CONNECTING))).toEqual([]);
    expect(end.after(10, ikeAssociation(1, ["p2p"]))).toEqual(["begin n2p", "begin p2n"]);
    expect(end.after(10, ikeAssociation(1, ["p2p"], { tasks: ["CHILD_CREATE"] }))).toEqual([]);
    expect(end.after(10, ikeAssociation(1, ALL))).toEqual([]);
    expect(end.wakeIn).toBeUndefined();
  });

  test("who has no address of the peer waits for it", () => {
    const end = new End(tunnelConnection({ remoteAddresses: [] }));
    expect(end.see()).toEqual([]);
    expect(end.after(60_000, ikeAssociation(1, ["p2p"], { initiator: false }))).toEqual([]);
  });

  test("of two ends that hear of each other at once, the one whose identity sorts later waits a moment", () => {
    const { localId, remoteId } = tunnelConnection();
    const end = new End(tunnelConnection({ localId: remoteId, remoteId: localId }));
    expect(end.see()).toEqual([]);
    expect(end.wakeIn).toBe(300);
    expect(end.after(300)).toEqual(["begin p2p"]);
  });

  test("a try that fails is repeated, later each time, and no later than half a minute", () => {
    const end = new End(tunnelConnection());
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
    const end = new End(tunnelConnection());
    end.see();
    expect(end.after(20, ikeAssociation(1, []))).toEqual([]);
    expect(end.wakeIn).toBe(750);
    expect(end.after(750, ikeAssociation(1, []))).toEqual(["begin p2p", "begin n2p", "begin p2n"]);
    expect(end.after(20, ikeAssociation(1, ["n2p", "p2n"]))).toEqual(["begin p2p"]);
    expect(end.after(20, ikeAssociation(1, ["n2p", "p2n"]))).toEqual([]);
    expect(end.wakeIn).toBe(1500);
  });

  test("children that the peer is making are left to it for three seconds", () => {
    const end = new End(tunnelConnection());
    const peers = ikeAssociation(1, ["p2p"], { initiator: false });
    expect(end.see(peers)).toEqual([]);
    expect(end.after(2_999, peers)).toEqual([]);
    expect(end.after(1, peers)).toEqual(["begin n2p", "begin p2n"]);
  });

  test("an agent that starts adopts what is there", () => {
    const end = new End(tunnelConnection());
    expect(end.see(ikeAssociation(7, ALL))).toEqual([]);
    expect(end.see(ikeAssociation(7, ALL, { state: "REKEYING" }))).toEqual([]);
  });
});

describe("pacing", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => tunnelConnection({ name: `paris.e${100 + i}` }));

  test("four are half-open at once, and the next begins when one is done", () => {
    const end = new End(...many(50));
    expect(end.see()).toHaveLength(HALF_OPEN_MAX);
    const coming = [100, 101, 102, 103].map((n) => ikeAssociation(n, [], { name: `paris.e${n}`, ...CONNECTING }));
    expect(end.after(50, ...coming)).toEqual([]);
    const [, ...rest] = coming;
    expect(end.after(50, ikeAssociation(100, ALL, { name: "paris.e100" }), ...rest)).toEqual(["begin p2p"]);
  });

  test("peers that are away take two places of the four, and those that were not tried yet go first", () => {
    const end = new End(...many(3));
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
    const end = new End(...connections);
    end.see(...connections.map(({ name }, i) => ikeAssociation(i, ALL, { name })));
    expect(end.after(10)).toEqual([]);
    // Here in the middle of 40 times 50 ms.
    expect(end.wakeIn).toBe(1000);
  });

  test("one that is lost alone is begun nearly at once", () => {
    const end = new End(tunnelConnection());
    end.see(ikeAssociation(1, ALL));
    expect(end.after(10)).toEqual([]);
    expect(end.wakeIn).toBe(50);
  });
});

describe("replacing", () => {
  const elsewhere = { remoteHost: "192.168.1.9" as Ip };

  test("the successor is begun at once, and what it replaces goes two seconds after it carries everything", () => {
    const end = new End(tunnelConnection());
    const old = ikeAssociation(1, ALL, elsewhere);
    end.see(old);
    expect(end.replace(old)).toEqual([]);
    expect(end.see(old)).toEqual(["begin p2p"]);
    expect(end.after(20, old, ikeAssociation(2, ["p2p"]))).toEqual(["begin n2p", "begin p2n"]);
    expect(end.after(20, old, ikeAssociation(2, ALL))).toEqual([]);
    expect(end.after(1_999, old, ikeAssociation(2, ALL))).toEqual([]);
    expect(end.after(1, old, ikeAssociation(2, ALL))).toEqual(["end ike 1"]);
    expect(end.after(20, ikeAssociation(2, ALL))).toEqual([]);
  });

  test("an SA to the very address goes first: charon would only use it again", () => {
    const end = new End(tunnelConnection());
    end.see(ikeAssociation(1, ALL));
    expect(end.replace(ikeAssociation(1, ALL))).toEqual(["force ike 1"]);
    expect(end.see()).toEqual(["begin p2p"]);
  });

  test("a half-open one is given up, whatever its back-off, and gives its place back", () => {
    const end = new End(tunnelConnection());
    end.see();
    expect(end.replace(ikeAssociation(1, [], CONNECTING))).toEqual(["force ike 1"]);
    expect(end.see()).toEqual(["begin p2p"]);
  });

  test("a successor that does not come is given up, and what is there stays", () => {
    const end = new End(tunnelConnection());
    const old = ikeAssociation(1, ALL, elsewhere);
    end.see(old);
    end.replace(old);
    end.see(old);
    end.after(16_000, old);
    expect(end.after(4_000, old)).toEqual([]);
    expect(end.after(60_000, old)).toEqual([]);
    expect(end.tunnels.get(PEER)?.memory.replacing).toBeUndefined();
  });

  test("a child with other selectors than wanted gets a successor in its IKE_SA before it goes", () => {
    const end = new End(tunnelConnection());
    const stale = childAssociation(10, "p2p", { remoteSelectors: ["10.3.0.0/24"] });
    const rest = ikeAssociation(1, ["n2p", "p2n"]);
    const before = { ...rest, children: [...rest.children.map((c) => ({ ...c, uniqueId: c.uniqueId + 5 })), stale] };
    const after = { ...before, children: [...before.children, childAssociation(30, "p2p")] };
    expect(end.see(before)).toEqual(["begin p2p in one form"]);
    expect(end.after(20, after)).toEqual([]);
    expect(end.after(2_000, after)).toEqual(["end child 10"]);
  });

  test("a peer that narrows selectors again and again is asked ever more rarely", () => {
    const end = new End(tunnelConnection());
    const narrowed = (id: number) => {
      const sa = ikeAssociation(1, ["n2p", "p2n"]);
      return { ...sa, children: [...sa.children, childAssociation(id, "p2p", { remoteSelectors: ["10.2.0.0/25"] })] };
    };
    const waits: number[] = [];
    expect(end.see(narrowed(50))).toEqual(["begin p2p in one form"]);
    for (let i = 0; i < 7; i++) {
      end.after(1_000, narrowed(51 + i));
      waits.push(Math.round(((end.wakeIn ?? 0) + 1_000) / 1000));
      // To charon one that was narrowed is what was wanted, and it makes no other of the same beside it.
      const form = i % 2 === 0 ? "other" : "one";
      expect(end.after(end.wakeIn ?? 0, narrowed(51 + i))).toEqual([`begin p2p in ${form} form`]);
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128]);
  });
});

describe("superfluous SAs", () => {
  const [mine, peers] = [ikeAssociation(1, ALL), ikeAssociation(2, ALL, { initiator: false })];

  test("of two that both ends began, that of the smaller identity stays, and who began the other one ends it", () => {
    const smaller = new End(tunnelConnection());
    expect(smaller.see(mine, peers)).toEqual([]);
    expect(smaller.after(2_000, mine, peers)).toEqual([]);
    expect(smaller.after(27_999, mine, peers)).toEqual([]);
    expect(smaller.after(1, mine, peers)).toEqual(["end ike 2"]);

    const { localId, remoteId } = tunnelConnection();
    const ids = { localId: remoteId, remoteId: localId };
    const larger = new End(tunnelConnection(ids));
    expect(larger.see({ ...mine, ...ids }, { ...peers, ...ids })).toEqual([]);
    expect(larger.after(2_000, { ...mine, ...ids }, { ...peers, ...ids })).toEqual(["end ike 1"]);
  });

  test("of two that one end began the younger stays; a responder ends what a crashed peer left after half a minute", () => {
    const end = new End(tunnelConnection());
    end.see(mine, ikeAssociation(5, ALL));
    expect(end.after(2_000, mine, ikeAssociation(5, ALL))).toEqual(["end ike 1"]);

    const responder = new End(tunnelConnection({ remoteAddresses: [] }));
    const both = [ikeAssociation(1, ALL, { initiator: false }), ikeAssociation(2, ALL, { initiator: false })];
    responder.see(...both);
    expect(responder.after(29_999, ...both)).toEqual([]);
    expect(responder.after(1, ...both)).toEqual(["end ike 1"]);
  });

  test("nothing goes while its successor lacks a child", () => {
    const end = new End(tunnelConnection());
    const partial = ikeAssociation(5, ["p2p"], { initiator: true });
    end.see(partial, peers);
    expect(end.after(60_000, partial, peers)).toEqual(["end ike 5"]);
    const none = new End(tunnelConnection());
    const [a, b] = [ikeAssociation(1, ["p2p"]), ikeAssociation(2, ["n2p", "p2n"], { initiator: false })];
    none.see(a, b);
    expect(none.after(60_000, a, b)).toEqual([]);
  });

  test("of two children of a name the one with the wanted selectors stays, be it the older", () => {
    const end = new End(tunnelConnection());
    const sa = ikeAssociation(1, ALL);
    const stale = childAssociation(99, "p2p", { remoteSelectors: ["10.3.0.0/24"] });
    const both = { ...sa, children: [...sa.children, stale] };
    end.see(both);
    expect(end.after(2_000, both)).toEqual(["end child 99"]);
  });

  test("a child that is wanted no more goes, and one that was never ours stays", () => {
    const [p2p, ...others] = tunnelConnection().children;
    if (p2p === undefined) throw new Error("a connection has children");
    const sa = ikeAssociation(1, ALL);
    const foreign = childAssociation(99, "p2p", { name: "somebody-else" });
    const all = { ...sa, children: [...sa.children, foreign] };
    const ids = sa.children.filter(({ name }) => others.some((child) => child.name === name)).map((c) => c.uniqueId);
    const end = new End(tunnelConnection());
    expect(end.after(60_000, all)).toEqual([]);
    end.connections = [tunnelConnection({ children: [p2p] })];
    expect(end.see(all)).toEqual([]);
    expect(end.after(2_000, all)).toEqual(ids.map((id) => `end child ${id}`));
    const left = { ...all, children: all.children.filter(({ uniqueId }) => !ids.includes(uniqueId)) };
    expect(end.after(60_000, left)).toEqual([]);
  });

  test("while an SA gets new keys, two of a name stand beside each other for a moment, and none is ended", () => {
    const end = new End(tunnelConnection());
    const sa = ikeAssociation(1, ALL);
    const rekeyed = { ...sa, children: [...sa.children, childAssociation(99, "p2p", { state: "REKEYED" })] };
    end.see(rekeyed);
    expect(end.after(60_000, rekeyed)).toEqual([]);
  });
});
