import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Backend, Frontend } from "../../../../edge/service/frontend.ts";
import { frontendAddresses, listenerSpec, planListeners } from "../../../../edge/service/userspace-plan.ts";
import { ip } from "../../../support/network-objects.ts";

const backend: Backend = { address: ip("10.244.0.5"), port: 8080, local: true };

function frontend(more: Partial<Frontend> = {}): Frontend {
  return {
    service: "default/web",
    portName: "http",
    kind: "cluster-ip",
    family: 4,
    address: ip("10.96.0.1"),
    protocol: "TCP",
    port: 80,
    backends: [backend],
    externalBackends: undefined,
    serving: [],
    affinitySeconds: undefined,
    sourceRanges: [],
    ...more,
  };
}

describe("where it listens", () => {
  test("on the service's address, or on all addresses of the family for node ports", () => {
    expect(listenerSpec(frontend())?.hostname).toBe("10.96.0.1");
    expect(listenerSpec(frontend({ kind: "node-port", address: undefined }))?.hostname).toBe("0.0.0.0");
    expect(listenerSpec(frontend({ kind: "node-port", address: undefined, family: 6 }))?.hostname).toBe("::");
  });

  test("nowhere when nobody answers, so that callers are refused at once", () => {
    expect(listenerSpec(frontend({ backends: [] }))).toBeUndefined();
    expect(listenerSpec(frontend({ backends: [], externalBackends: [] }))).toBeUndefined();
    expect(listenerSpec(frontend({ backends: [], externalBackends: [backend] }))).toBeDefined();
  });

  test("nowhere for SCTP", () => {
    expect(listenerSpec(frontend({ protocol: "SCTP" }))).toBeUndefined();
  });

  test("an address is held even while nobody answers on it", () => {
    const list = [
      frontend({ backends: [] }),
      frontend({ kind: "node-port", address: undefined }),
      frontend({ port: 1 }),
    ];
    expect([...frontendAddresses(list)]).toEqual([ip("10.96.0.1")]);
  });
});

describe("what changes", () => {
  test("a listener whose backends change stays open", () => {
    const after = frontend({ backends: [{ ...backend, port: 9 }] });
    const plan = planListeners([frontend()], [after]);
    expect([plan.close, plan.open, plan.keep.map((spec) => spec.frontend)]).toEqual([[], [], [after]]);
  });

  test("a listener that moves from one service to another stays open", () => {
    const plan = planListeners([frontend()], [frontend({ service: "default/other" })]);
    expect([plan.close, plan.open]).toEqual([[], []]);
  });

  test("a listener closes with its last backend and opens with the first", () => {
    expect(planListeners([frontend()], [frontend({ backends: [] })]).close).toEqual(["TCP 10.96.0.1 80"]);
    expect(planListeners([frontend({ backends: [] })], [frontend()]).open.length).toBe(1);
  });

  test("from any state to any other, exactly the listeners of the other are open", () => {
    const any = fc.record({
      address: fc.constantFrom(ip("10.96.0.1"), ip("10.96.0.2")),
      protocol: fc.constantFrom("TCP" as const, "UDP" as const, "SCTP" as const),
      port: fc.integer({ min: 1, max: 3 }),
      backends: fc.constantFrom([], [backend]),
    });
    // The registry gives every address, protocol and port to one service only.
    const state = fc
      .uniqueArray(any, { selector: (f) => `${f.address} ${f.protocol} ${f.port}` })
      .map((list) => list.map((f) => frontend(f)));
    const keys = (list: readonly Frontend[]) => list.map((f) => listenerSpec(f)?.key).filter((k) => k !== undefined);
    fc.assert(
      fc.property(state, state, (before, after) => {
        const plan = planListeners(before, after);
        const open = new Set(keys(before));
        for (const key of plan.close) expect(open.delete(key)).toBe(true);
        for (const { key } of plan.keep) expect(open.has(key)).toBe(true);
        for (const { key } of plan.open) {
          expect(open.has(key)).toBe(false);
          open.add(key);
        }
        expect([...open].sort()).toEqual(keys(after).sort());
      }),
    );
  });
});
