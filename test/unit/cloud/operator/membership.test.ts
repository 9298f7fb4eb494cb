import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { COMMUNITY_MEMBERS_LIMIT, ENDPOINT_PEERS_LIMIT, Membership } from "../../../../cloud/operator/membership.ts";

function community(name: string, members: readonly string[]) {
  return { name, members, generation: 1 };
}

function range(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

describe("membership", () => {
  test("peers are the others of all communities, each once, sorted", () => {
    const membership = new Membership();
    membership.set("x", community("x", ["b", "a", "c", "a"]));
    membership.set("y", community("y", ["a", "d", "c"]));
    expect(membership.peersOf("a")).toEqual(["b", "c", "d"]);
    expect(membership.peersOf("b")).toEqual(["a", "c"]);
    expect(membership.peersOf("nobody")).toEqual([]);
    expect(membership.get("x")?.twice).toEqual(["a"]);
  });

  test("beyond the limit the first that are named are connected", () => {
    const membership = new Membership();
    const members = range("n", COMMUNITY_MEMBERS_LIMIT + 5);
    membership.set("x", community("x", members));
    expect(membership.peersOf("n0")).toHaveLength(COMMUNITY_MEMBERS_LIMIT - 1);
    expect(membership.peersOf(`n${COMMUNITY_MEMBERS_LIMIT}`)).toEqual([]);
    expect(membership.get("x")?.surplus).toBe(5);
  });

  test("who is in too many communities is left out of the last, by both sides, until there is room", () => {
    const membership = new Membership();
    const sizes = ENDPOINT_PEERS_LIMIT / 2;
    for (const key of ["a", "b"]) membership.set(key, community(key, ["hub", ...range(key, sizes - 1)]));
    expect(membership.peersOf("hub")).toHaveLength(ENDPOINT_PEERS_LIMIT - 2);
    const late = membership.set("c", community("c", ["hub", "c1", "c2", "c3"]));
    expect([...late.endpoints].sort()).toEqual(["c1", "c2", "c3", "hub"]);
    expect(membership.get("c")?.overloaded.has("hub")).toBe(true);
    expect(membership.peersOf("hub")).toHaveLength(ENDPOINT_PEERS_LIMIT - 2);
    expect(membership.peersOf("c1")).toEqual(["c2", "c3"]);
    const room = membership.set("a", undefined);
    expect(room.communities).toContain("c");
    expect([...room.endpoints]).toContain("c1");
    expect(membership.peersOf("c1")).toEqual(["c2", "c3", "hub"]);
    expect(membership.peersOf("hub")).toContain("c1");
  });

  test("a small community still fits after a large one that does not", () => {
    const membership = new Membership();
    const sizes = ENDPOINT_PEERS_LIMIT / 2;
    for (const key of ["a", "b"]) membership.set(key, community(key, ["hub", ...range(key, sizes - 1)]));
    membership.set("c", community("c", ["hub", "c1", "c2", "c3"]));
    membership.set("d", community("d", ["hub", "d1", "d2"]));
    expect(membership.get("c")?.overloaded.has("hub")).toBe(true);
    expect(membership.get("d")?.overloaded.has("hub")).toBe(false);
    expect(membership.peersOf("d1")).toEqual(["d2", "hub"]);
  });

  test("peers are mutual, and whoever's change is named, after any history", () => {
    const name = fc.constantFrom("a", "b", "c", "d", "e");
    const step = fc.record({
      key: fc.constantFrom("x", "y", "z"),
      members: fc.option(fc.array(name, { maxLength: 6 }), { nil: undefined }),
    });
    const names = ["a", "b", "c", "d", "e"];
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const membership = new Membership();
        for (const { key, members } of steps) {
          const before = new Map(names.map((one) => [one, membership.peersOf(one)]));
          const { endpoints } = membership.set(key, members && community(key, members));
          for (const one of names) {
            const peers = membership.peersOf(one);
            if (!Bun.deepEquals(peers, before.get(one))) expect([...endpoints]).toContain(one);
            for (const peer of peers) expect(membership.peersOf(peer)).toContain(one);
          }
        }
      }),
    );
  });
});
