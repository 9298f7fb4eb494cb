import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Backend, Frontend } from "../../../../edge/service/frontend.ts";
import { AffinityMemory, type Caller, chooseBackends } from "../../../../edge/service/userspace-choice.ts";
import { AFFINITY_CLIENTS_LIMIT } from "../../../../edge/service/userspace-limits.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { ipFromBytes } from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

function backends(count: number): Backend[] {
  return Array.from({ length: count }, (_, i) => ({ address: ip(`10.244.0.${i + 1}`), port: 80, local: false }));
}

function frontend(more: Partial<Frontend>): Frontend {
  const service = { service: "default/web", portName: "http", kind: "external", family: 4, protocol: "TCP" } as const;
  const rest = { externalBackends: undefined, serving: [], affinitySeconds: undefined, sourceRanges: [], backends: [] };
  return { ...service, address: ip("10.96.0.1"), port: 80, ...rest, ...more };
}

function caller(more: Partial<Caller> = {}): Caller {
  return { address: ip("192.0.2.9"), internal: false, now: 0 as MonotonicTime, ...more };
}

/** A small generator of numbers (mulberry32), so that a failing seed can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe("the order", () => {
  test("has each backend at most once, and no more than asked for", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.integer({ min: 1, max: 10 }), fc.integer(), (count, most, seed) => {
        const all = backends(count);
        const order = chooseBackends(frontend({ backends: all }), caller(), new AffinityMemory(), seeded(seed), most);
        expect(order.length).toBe(Math.min(count, most));
        expect(new Set(order).size).toBe(order.length);
        expect(order.every((backend) => all.includes(backend))).toBe(true);
      }),
    );
  });

  test("puts every backend first equally often, and second too", () => {
    const random = seeded(7);
    const all = backends(4);
    const counts = [new Map<Backend, number>(), new Map<Backend, number>()];
    const runs = 8000;
    for (let i = 0; i < runs; i++) {
      const order = chooseBackends(frontend({ backends: all }), caller(), new AffinityMemory(), random, 2);
      for (const [place, count] of counts.entries()) {
        const backend = order[place];
        if (backend !== undefined) count.set(backend, (count.get(backend) ?? 0) + 1);
      }
    }
    // Five standard deviations of a binomial count.
    const tolerance = 5 * Math.sqrt(runs * 0.25 * 0.75);
    for (const count of counts) {
      for (const backend of all) expect(Math.abs((count.get(backend) ?? 0) - runs / 4)).toBeLessThan(tolerance);
    }
  });
});

describe("who may", () => {
  const ranged = frontend({ backends: backends(1), sourceRanges: [prefix("192.0.2.0/24"), prefix("198.51.100.7/32")] });
  const isServed = (address: string) =>
    chooseBackends(ranged, caller({ address: ip(address) }), new AffinityMemory(), Math.random, 1).length > 0;

  test("callers outside the source ranges get nothing", () => {
    expect(["192.0.2.1", "198.51.100.7", "198.51.100.8", "2001:db8::1"].map(isServed)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test("callers from outside get the local backends only, and callers inside all of them", () => {
    const [local, far] = backends(2);
    if (local === undefined || far === undefined) throw new Error("two backends");
    const policy = frontend({ backends: [local, far], externalBackends: [local] });
    const choose = (internal: boolean) =>
      new Set(chooseBackends(policy, caller({ internal }), new AffinityMemory(), Math.random, 5));
    expect(choose(false)).toEqual(new Set([local]));
    expect(choose(true)).toEqual(new Set([local, far]));
    const none = frontend({ backends: [far], externalBackends: [] });
    expect(chooseBackends(none, caller(), new AffinityMemory(), Math.random, 5)).toEqual([]);
  });
});

describe("affinity", () => {
  const sticky = frontend({ backends: backends(50), affinitySeconds: 10 });
  const at = (ms: number) => caller({ now: ms as MonotonicTime });
  const first = (memory: AffinityMemory, who: Caller, from = sticky) =>
    chooseBackends(from, who, memory, Math.random, 3)[0];

  test("keeps a client with its backend until the time-out after its last connection, whatever the others do", () => {
    const memory = new AffinityMemory();
    const bound = sticky.backends[20];
    if (bound === undefined) throw new Error("backends");
    memory.remember(at(0), bound);
    expect(first(memory, at(9_999))).toBe(bound);
    memory.remember(at(9_999), bound);
    expect(first(memory, at(19_998))).toBe(bound);
    const fewer = { ...sticky, backends: sticky.backends.slice(20, 22) };
    expect(first(memory, at(19_998), fewer)).toEqual(bound);
    expect(memory.recall(at(19_999), 10_000 as never)).toBeUndefined();
  });

  test("lets a client go whose backend is gone", () => {
    const memory = new AffinityMemory();
    const [gone, ...left] = sticky.backends;
    if (gone === undefined) throw new Error("backends");
    memory.remember(at(0), gone);
    expect(left).toContain(first(memory, at(1), { ...sticky, backends: left }) as Backend);
  });

  test("does not bind clients of services without it", () => {
    const memory = new AffinityMemory();
    const all = backends(50);
    memory.remember(at(0), all[0] as Backend);
    const firsts = Array.from({ length: 50 }, () => first(memory, at(1), frontend({ backends: all })));
    expect(new Set(firsts).size).toBeGreaterThan(1);
  });

  test("remembers a bounded number of clients, the latest", () => {
    const memory = new AffinityMemory();
    const backend = backends(1)[0] as Backend;
    const client = (i: number) => caller({ address: ipFromBytes(Uint8Array.of(10, i >> 16, (i >> 8) & 255, i & 255)) });
    for (let i = 0; i <= AFFINITY_CLIENTS_LIMIT; i++) memory.remember(client(i), backend);
    expect(memory.size).toBe(AFFINITY_CLIENTS_LIMIT);
    expect(memory.recall(client(0), 10_000 as never)).toBeUndefined();
    expect(memory.recall(client(AFFINITY_CLIENTS_LIMIT), 10_000 as never)).toBeDefined();
  });
});
