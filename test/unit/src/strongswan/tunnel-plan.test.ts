import { describe, expect, test } from "bun:test";
import type { Ip } from "../../../../src/base/ip.ts";
import { childAssociation, ikeAssociation, PEER, tunnelConnection } from "../../../support/association-objects.ts";
import { PlanningEnd } from "../../../support/planning-end.ts";

const ALL = ["p2p", "n2p", "p2n"] as const;
const CONNECTING = { state: "CONNECTING" } as const;

describe("replacing", () => {
  const elsewhere = { remoteHost: "192.168.1.9" as Ip };

  test("the successor is begun at once, and what it replaces goes two seconds after it carries everything", () => {
    const end = new PlanningEnd(tunnelConnection());
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
    const end = new PlanningEnd(tunnelConnection());
    end.see(ikeAssociation(1, ALL));
    expect(end.replace(ikeAssociation(1, ALL))).toEqual(["force ike 1"]);
    expect(end.see()).toEqual(["begin p2p"]);
  });

  test("a half-open one is given up, whatever its back-off, and gives its place back", () => {
    const end = new PlanningEnd(tunnelConnection());
    end.see();
    expect(end.replace(ikeAssociation(1, [], CONNECTING))).toEqual(["force ike 1"]);
    expect(end.see()).toEqual(["begin p2p"]);
  });

  test("a successor that does not come is given up, and what is there stays", () => {
    const end = new PlanningEnd(tunnelConnection());
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
    const end = new PlanningEnd(tunnelConnection());
    const stale = childAssociation(10, "p2p", { remoteSelectors: ["10.3.0.0/24"] });
    const rest = ikeAssociation(1, ["n2p", "p2n"]);
    const before = { ...rest, children: [...rest.children.map((c) => ({ ...c, uniqueId: c.uniqueId + 5 })), stale] };
    const after = { ...before, children: [...before.children, childAssociation(30, "p2p")] };
    expect(end.see(before)).toEqual(["begin p2p in one form"]);
    expect(end.after(20, after)).toEqual([]);
    expect(end.after(2_000, after)).toEqual(["end child 10"]);
  });

  test("a peer that narrows selectors again and again is asked ever more rarely", () => {
    const end = new PlanningEnd(tunnelConnection());
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
    const smaller = new PlanningEnd(tunnelConnection());
    expect(smaller.see(mine, peers)).toEqual([]);
    expect(smaller.after(2_000, mine, peers)).toEqual([]);
    expect(smaller.after(27_999, mine, peers)).toEqual([]);
    expect(smaller.after(1, mine, peers)).toEqual(["end ike 2"]);

    const { localId, remoteId } = tunnelConnection();
    const ids = { localId: remoteId, remoteId: localId };
    const larger = new PlanningEnd(tunnelConnection(ids));
    expect(larger.see({ ...mine, ...ids }, { ...peers, ...ids })).toEqual([]);
    expect(larger.after(2_000, { ...mine, ...ids }, { ...peers, ...ids })).toEqual(["end ike 1"]);
  });

  test("of two that one end began the younger stays; a responder ends what a crashed peer left after half a minute", () => {
    const end = new PlanningEnd(tunnelConnection());
    end.see(mine, ikeAssociation(5, ALL));
    expect(end.after(2_000, mine, ikeAssociation(5, ALL))).toEqual(["end ike 1"]);

    const responder = new PlanningEnd(tunnelConnection({ remoteAddresses: [] }));
    const both = [ikeAssociation(1, ALL, { initiator: false }), ikeAssociation(2, ALL, { initiator: false })];
    responder.see(...both);
    expect(responder.after(29_999, ...both)).toEqual([]);
    expect(responder.after(1, ...both)).toEqual(["end ike 1"]);
  });

  test("nothing goes while its successor lacks a child", () => {
    const end = new PlanningEnd(tunnelConnection());
    const partial = ikeAssociation(5, ["p2p"], { initiator: true });
    end.see(partial, peers);
    expect(end.after(60_000, partial, peers)).toEqual(["end ike 5"]);
    const none = new PlanningEnd(tunnelConnection());
    const [a, b] = [ikeAssociation(1, ["p2p"]), ikeAssociation(2, ["n2p", "p2n"], { initiator: false })];
    none.see(a, b);
    expect(none.after(60_000, a, b)).toEqual([]);
  });

  test("of two children of a name the one with the wanted selectors stays, be it the older", () => {
    const end = new PlanningEnd(tunnelConnection());
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
    const end = new PlanningEnd(tunnelConnection());
    expect(end.after(60_000, all)).toEqual([]);
    end.connections = [tunnelConnection({ children: [p2p] })];
    expect(end.see(all)).toEqual([]);
    expect(end.after(2_000, all)).toEqual(ids.map((id) => `end child ${id}`));
    const left = { ...all, children: all.children.filter(({ uniqueId }) => !ids.includes(uniqueId)) };
    expect(end.after(60_000, left)).toEqual([]);
  });

  test("while an SA gets new keys, two of a name stand beside each other for a moment, and none is ended", () => {
    const end = new PlanningEnd(tunnelConnection());
    const sa = ikeAssociation(1, ALL);
    const rekeyed = { ...sa, children: [...sa.children, childAssociation(99, "p2p", { state: "REKEYED" })] };
    end.see(rekeyed);
    expect(end.after(60_000, rekeyed)).toEqual([]);
  });
});
