import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Frontend, frontendId } from "../../../../edge/service/frontend.ts";
import { FrontendRegistry } from "../../../../edge/service/frontend-registry.ts";
import { makeBackend, makeFrontend } from "../../../support/service-frontends.ts";

const OLD = "2026-01-01T00:00:00Z";
const NEW = "2026-02-01T00:00:00Z";

function own(service: string, port = 80): Frontend {
  return makeFrontend({ service, port, backends: [makeBackend("10.1.0.1")] });
}

describe("a frontend that two services want", () => {
  test.each([
    ["the older one", ["ns/a", NEW], ["ns/b", OLD], "ns/b"],
    ["the first by key among equals", ["ns/b", OLD], ["ns/a", OLD], "ns/a"],
  ] as const)("is %s's, whoever came first", (_, one, other, winner) => {
    for (const order of [
      [one, other],
      [other, one],
    ]) {
      const registry = new FrontendRegistry();
      for (const [key, created] of order) registry.update(key, created, [own(key)]);
      const loser = winner === one[0] ? other[0] : one[0];
      expect(registry.owned(winner)).toHaveLength(1);
      expect(registry.owned(loser)).toEqual([]);
      expect(registry.conflicts()).toEqual([{ frontend: own(loser), loser, winner }]);
    }
  });

  test("changes hands when an older service comes, and back when that goes; both are told", () => {
    const registry = new FrontendRegistry();
    registry.update("ns/a", NEW, [own("ns/a"), own("ns/a", 443)]);
    const taken = registry.update("ns/b", OLD, [own("ns/b")]);
    expect(taken).toEqual(
      new Map([
        ["ns/b", [own("ns/b")]],
        ["ns/a", [own("ns/a", 443)]],
      ]),
    );
    const back = registry.update("ns/b", "", []);
    expect(back).toEqual(
      new Map([
        ["ns/b", []],
        ["ns/a", [own("ns/a"), own("ns/a", 443)]],
      ]),
    );
    expect(registry.conflicts()).toEqual([]);
  });

  test("does not clash over another protocol, port, family or kind of address", () => {
    const registry = new FrontendRegistry();
    registry.update("ns/a", OLD, [own("ns/a")]);
    const others = [
      makeFrontend({ protocol: "UDP" }),
      makeFrontend({ port: 81 }),
      makeFrontend({ kind: "node-port", address: undefined }),
      makeFrontend({ kind: "node-port", address: undefined, family: 6 }),
    ];
    registry.update("ns/b", NEW, others);
    expect(registry.owned("ns/b")).toEqual(others);
  });
});

test("who owns what depends on who is there, not on how they came", () => {
  const step = fc.record({
    service: fc.constantFrom("ns/a", "ns/b", "ns/c"),
    ports: fc.subarray([80, 81, 82]),
  });
  const created = { "ns/a": OLD, "ns/b": OLD, "ns/c": NEW } as const;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const registry = new FrontendRegistry();
      const told = new Map<string, readonly Frontend[]>();
      const last = new Map<"ns/a" | "ns/b" | "ns/c", readonly number[]>();
      for (const { service, ports } of steps) {
        const key = service as "ns/a" | "ns/b" | "ns/c";
        last.set(key, ports);
        const frontends = ports.map((port) => own(service, port));
        for (const [name, owned] of registry.update(service, created[key], frontends)) told.set(name, owned);
      }
      for (const [service, ports] of last) {
        const expected = ports.filter((port) =>
          [...last].every(
            ([other, theirs]) => !theirs.includes(port) || created[service] + service <= created[other] + other,
          ),
        );
        expect(registry.owned(service).map((f) => f.port)).toEqual(expected);
        expect(told.get(service) ?? []).toEqual(registry.owned(service));
      }
    }),
  );
});

test("a frontend is known by address, protocol and port", () => {
  expect(frontendId(makeFrontend())).toBe("10.96.0.1 TCP 80");
  expect(frontendId(makeFrontend({ address: undefined, family: 6 }))).toBe("node-port/6 TCP 80");
});
