import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Frontend, frontendId } from "../../../../edge/service/frontend.ts";
import type { SetName } from "../../../../edge/service/ruleset.ts";
import { RulesetModel, type TableChange } from "../../../../edge/service/ruleset-model.ts";
import { compareTable } from "../../../../edge/service/ruleset-observation.ts";
import type { SetElement } from "../../../../src/wire/nftables-element.ts";
import { elementId, elementValue } from "../../../../src/wire/nftables-element.ts";
import { anyFrontend, makeBackend, makeFrontend } from "../../../support/service-frontends.ts";

type Tables = Map<string, Map<string, string>>;

/** A kernel for elements: it refuses what the real one would refuse. */
class FakeTable {
  readonly elements: Tables = new Map();
  readonly chains = new Set<string>();

  commit(change: TableChange): void {
    for (const chain of change.newChains) {
      expect(this.chains.has(chain)).toBe(false);
      this.chains.add(chain);
    }
    for (const [set, list] of change.deletes) {
      for (const element of list) expect(this.set(set).delete(elementId(element))).toBe(true);
    }
    for (const [set, list] of change.adds) for (const element of list) this.add(set, element);
  }

  add(set: string, element: SetElement): void {
    const id = elementId(element);
    expect(this.set(set).has(id)).toBe(false);
    this.set(set).set(id, elementValue(element));
    const { verdict } = element;
    const fixed = ["refuse", "firewall", "masquerade-all", "masquerade-own"];
    if (verdict !== undefined && "chain" in verdict && !fixed.includes(verdict.chain)) {
      expect(this.chains).toContain(verdict.chain);
    }
  }

  set(name: string): Map<string, string> {
    const set = this.elements.get(name) ?? new Map<string, string>();
    this.elements.set(name, set);
    return set;
  }

  /** Without slot numbers, of which only the number counts. */
  summary(): readonly string[] {
    return [...this.elements]
      .flatMap(([set, list]) =>
        [...list].map(([id, value]) => `${set} ${set.endsWith("endpoints") ? id.replace(/ \d+$/, "") : id} : ${value}`),
      )
      .toSorted();
  }
}

function owned(service: string, frontends: readonly Frontend[]): ReadonlyMap<string, readonly Frontend[]> {
  return new Map([[service, frontends]]);
}

const services = fc.constantFrom("ns/a", "ns/b", "ns/c");
/** Changes in which, as the registry sees to it, no frontend has two owners at a time. */
const history = fc.array(fc.tuple(services, fc.uniqueArray(anyFrontend, { selector: frontendId, maxLength: 4 })), {
  maxLength: 8,
});

function play(steps: readonly (readonly [string, readonly Frontend[]])[]) {
  const model = new RulesetModel();
  const kernel = { 4: new FakeTable(), 6: new FakeTable() };
  const last = new Map<string, readonly Frontend[]>();
  for (const [service, wanted] of steps) {
    const ids = new Set(wanted.map(frontendId));
    const changes = new Map<string, readonly Frontend[]>();
    for (const [other, theirs] of last) {
      const left = theirs.filter((f) => !ids.has(frontendId(f)));
      if (other !== service && left.length < theirs.length) changes.set(other, left);
    }
    changes.set(service, wanted);
    for (const [key, frontends] of changes) last.set(key, frontends);
    for (const [family, change] of model.change(changes).tables) {
      // As the applier does: chains that were made stay until a resync.
      const there = kernel[family].chains;
      kernel[family].commit({ ...change, newChains: change.newChains.filter((chain) => !there.has(chain)) });
    }
  }
  return { model, kernel, last };
}

describe("applying changes one by one", () => {
  test("comes to the same as applying what is left at the end at once", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { kernel, last } = play(steps);
        const scratch = new RulesetModel().change(last);
        for (const family of [4, 6] as const) {
          const fresh = new FakeTable();
          fresh.commit(scratch.tables.get(family) ?? { newChains: [], deletes: new Map(), adds: new Map() });
          expect(kernel[family].summary()).toEqual(fresh.summary());
        }
      }),
      { numRuns: 300 },
    );
  });

  test("leaves in the kernel exactly what a comparison of everything wants", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { model, kernel } = play(steps);
        for (const family of [4, 6] as const) {
          const { elements, chains } = model.wanted(family);
          const fresh = new FakeTable();
          fresh.commit({ newChains: chains, deletes: new Map(), adds: elements });
          const there = (table: FakeTable) =>
            [...table.elements]
              .filter(([, list]) => list.size > 0)
              .map(([set, list]) => [set, new Map([...list].toSorted())] as const);
          expect(new Map(there(kernel[family]))).toEqual(new Map(there(fresh)));
          for (const chain of chains) expect(kernel[family].chains).toContain(chain);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("leaves nothing when every service is gone", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const gone = (["ns/a", "ns/b", "ns/c"] as const).map((service) => [service, []] as const);
        const { model, kernel } = play([...steps, ...gone]);
        for (const family of [4, 6] as const) {
          expect(kernel[family].summary()).toEqual([]);
          expect(model.chains(family)).toEqual([]);
        }
      }),
    );
  });
});

describe("a change", () => {
  const slots = (n: number) => Array.from({ length: n }, (_, i) => makeBackend(`10.1.0.${i + 1}`));
  const size = (lists: ReadonlyMap<string, readonly unknown[]> | undefined) =>
    [...(lists?.values() ?? [])].reduce((sum, list) => sum + list.length, 0);

  test("of one endpoint among a hundred is a few elements", () => {
    const model = new RulesetModel();
    const before = slots(100);
    model.change(owned("ns/web", [makeFrontend({ backends: before })]));
    const without = before.toSpliced(40, 1);
    const table = model.change(owned("ns/web", [makeFrontend({ backends: without })])).tables.get(4);
    // The service's chain, the freed slot, and the last one that moves there.
    expect(size(table?.deletes)).toBe(3);
    expect(size(table?.adds)).toBe(2);
    expect(table?.newChains).toEqual(["lb-99"]);
  });

  test("to what is there already is none", () => {
    const model = new RulesetModel();
    const frontend = makeFrontend({ backends: slots(3), affinitySeconds: 10 });
    model.change(owned("ns/web", [frontend]));
    const table = model.change(owned("ns/web", [{ ...frontend }])).tables.get(4);
    expect([table?.newChains.length, size(table?.deletes), size(table?.adds)]).toEqual([0, 0, 0]);
  });

  test("tells which endpoints of which frontends have vanished", () => {
    const model = new RulesetModel();
    const [one, two] = slots(2);
    if (one === undefined || two === undefined) throw new Error("two were made");
    const frontend = makeFrontend({ backends: [one, two] });
    model.change(owned("ns/web", [frontend]));
    expect(model.change(owned("ns/web", [{ ...frontend, backends: [two] }])).vanished).toEqual([
      { frontend, backend: one },
    ]);
    expect(model.change(owned("ns/web", [])).vanished.map((v) => v.backend)).toEqual([two]);
  });

  test("tells of all that clients may be bound to when callers from outside get others from now on, or no longer", () => {
    const model = new RulesetModel();
    const [near, far] = [makeBackend("10.1.0.1 here"), makeBackend("10.1.0.2")];
    const vanished = (over: Partial<Frontend>) => {
      const frontend = makeFrontend({ kind: "external", backends: [near, far], affinitySeconds: 10, ...over });
      return model.change(owned("ns/web", [frontend])).vanished.map((v) => v.backend);
    };
    expect(vanished({})).toEqual([]);
    expect(vanished({ externalBackends: [near] })).toEqual([near, far]);
    expect(vanished({ externalBackends: [near] })).toEqual([]);
    expect(vanished({})).toEqual([near, far]);
    expect(vanished({ affinitySeconds: undefined })).toEqual([near, far]);
    expect(vanished({ affinitySeconds: undefined, externalBackends: [near] })).toEqual([]);
  });

  test("tells of one that gets no new callers, and again when it serves no longer", () => {
    const model = new RulesetModel();
    const [one, two] = [makeBackend("10.1.0.1"), makeBackend("10.1.0.2")];
    const frontend = makeFrontend({ protocol: "UDP", backends: [one, two], serving: [one, two] });
    const vanished = (over: Partial<Frontend>) =>
      model.change(owned("ns/web", [{ ...frontend, ...over }])).vanished.map((v) => v.backend);
    expect(vanished({})).toEqual([]);
    expect(vanished({ backends: [two] })).toEqual([one]);
    expect(vanished({ backends: [two] })).toEqual([]);
    expect(vanished({ backends: [two], serving: [two] })).toEqual([one]);
    expect(vanished({ backends: [two], serving: [two] })).toEqual([]);
  });
});

test("taking over keeps the numbers that the kernel has given", () => {
  const [a, b] = [makeBackend("10.1.0.1"), makeBackend("10.1.0.2")];
  const model = new RulesetModel();
  model.change(owned("ns/web", [makeFrontend({ backends: [a, b] })]), () => ({ slots: [b, a], localSlots: [] }));
  expect([...model.frontends()][0]?.slots).toEqual([b, a]);
});

test("a comparison writes what is missing, wrong or too much, and nothing else", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyFrontend, { selector: frontendId, maxLength: 5 }),
      fc.uniqueArray(anyFrontend, { selector: frontendId, maxLength: 5 }),
      (there, wanted) => {
        for (const family of [4, 6] as const) {
          const state = (frontends: readonly Frontend[]) => {
            const model = new RulesetModel();
            model.change(owned("ns/web", frontends));
            return model.wanted(family);
          };
          const [actual, goal] = [state(there), state(wanted)];
          const kernel = new FakeTable();
          kernel.commit({ newChains: actual.chains, deletes: new Map(), adds: actual.elements });
          const all = new Map<SetName, readonly SetElement[]>([...goal.elements.keys()].map((set) => [set, []]));
          const observed = { demandChains: actual.chains, elements: new Map([...all, ...actual.elements]) };
          kernel.commit(compareTable(observed, goal.chains, goal.elements));
          const fresh = new FakeTable();
          fresh.commit({ newChains: goal.chains, deletes: new Map(), adds: goal.elements });
          expect(kernel.summary()).toEqual(fresh.summary());
          const again = compareTable(
            { demandChains: goal.chains, elements: goal.elements },
            goal.chains,
            goal.elements,
          );
          expect([again.newChains.length, again.adds.size, again.deletes.size]).toEqual([0, 0, 0]);
        }
      },
    ),
  );
});
