import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { adoptStanding, type EdgeStanding, NO_STANDING, planStanding } from "../../../../cloud/connector/claim-plan.ts";

const HELD: EdgeStanding = { claim: 7, highest: 7, leftBehind: [] };

describe("a connector and an edge", () => {
  test("that comes are one claim", () => {
    expect(planStanding(NO_STANDING, [1], undefined, "c1")).toEqual({
      standing: { claim: 1, highest: 1, leftBehind: [] },
      drop: false,
    });
  });

  test("that comes from another connector are a claim above the other's", () => {
    expect(planStanding(NO_STANDING, [1], { node: "c2", claim: 7 }, "c1").standing.claim).toBe(8);
  });

  test("whose keys are made anew keep their claim", () => {
    const { standing, drop } = planStanding(HELD, [2, 3], { node: "c2", claim: 6 }, "c1");
    expect([standing.claim, drop]).toEqual([7, false]);
  });

  test("that another claims later part, and what is left of its tunnel ends", () => {
    const lost = planStanding(HELD, [2], { node: "c2", claim: 8 }, "c1");
    expect(lost).toEqual({ standing: { claim: undefined, highest: 8, leftBehind: [2] }, drop: true });
    // It may not go at once, and is no new claim meanwhile.
    const after = planStanding(lost.standing, [2], { node: "c2", claim: 8 }, "c1");
    expect(after).toEqual(lost);
    expect(planStanding(after.standing, [], { node: "c2", claim: 8 }, "c1")).toMatchObject({ drop: false });
  });

  test("that comes back are claimed above all that was ever seen, even by who has nothing to say any more", () => {
    const lost = planStanding(HELD, [2], { node: "c2", claim: 8 }, "c1").standing;
    expect(planStanding(lost, [2, 5], undefined, "c1").standing).toEqual({ claim: 9, highest: 9, leftBehind: [2] });
  });

  test("without a tunnel have nothing to do with each other", () => {
    expect(planStanding(HELD, [], undefined, "c1").standing.claim).toBeUndefined();
  });

  test("claimed by two at the same moment are the smaller name's", () => {
    expect(planStanding(HELD, [1], { node: "c2", claim: 7 }, "c1").standing.claim).toBe(7);
    expect(planStanding(HELD, [1], { node: "c1", claim: 7 }, "c2")).toMatchObject({
      standing: { claim: undefined },
      drop: true,
    });
  });

  describe("after a restart of the connector", () => {
    test("are what they were", () => {
      const adopted = adoptStanding([4], 7, { node: "c2", claim: 6 });
      expect(adopted).toEqual(HELD);
      expect(planStanding(adopted, [4], { node: "c2", claim: 6 }, "c1").standing.claim).toBe(7);
    });

    test("part when another has claimed the edge meanwhile", () => {
      const adopted = adoptStanding([4], 7, { node: "c2", claim: 8 });
      expect(planStanding(adopted, [4], { node: "c2", claim: 8 }, "c1")).toMatchObject({ drop: true });
    });

    test("settle an SA that was never claimed here by ending it, where another claims the edge", () => {
      const adopted = adoptStanding([4], undefined, { node: "c2", claim: 8 });
      expect(planStanding(adopted, [4], { node: "c2", claim: 8 }, "c1")).toEqual({
        standing: { claim: undefined, highest: 8, leftBehind: [4] },
        drop: true,
      });
      expect(adoptStanding([4], undefined, undefined)).toEqual(NO_STANDING);
    });
  });

  test("come to one holder, whatever happened and whoever hears of it when", () => {
    // An edge goes from connector to connector; each of them looks at what the others say at some time or never.
    const step = fc.record({ who: fc.nat(2), moves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const world = new World();
        for (const { who, moves } of steps) {
          if (moves) world.move(who);
          world.look(who);
        }
        for (let round = 0; round < 4; round++) for (const who of [0, 1, 2]) world.look(who);
        world.settle();
        expect(world.claims().length).toBe(1);
        expect(world.claims()).toEqual([world.connectedTo]);
      }),
    );
  });
});

/** Three connectors and one edge, which has an SA with one of them and does not tell the others that it has gone. */
class World {
  readonly #names = ["c0", "c1", "c2"];
  readonly #standings: EdgeStanding[] = [NO_STANDING, NO_STANDING, NO_STANDING];
  readonly #associations: number[][] = [[], [], []];
  #next = 1;
  #at = 0;

  constructor() {
    this.move(0);
  }

  get connectedTo(): string {
    return this.#names[this.#at] ?? "";
  }

  move(who: number): void {
    this.#at = who;
    this.#associations[who]?.push(this.#next++);
  }

  look(who: number): void {
    const others = [0, 1, 2].filter((other) => other !== who);
    const rivals = others.flatMap((other) => {
      const claim = this.#standings[other]?.claim;
      return claim === undefined ? [] : [{ node: this.#names[other] ?? "", claim }];
    });
    const [rival] = rivals.sort((a, b) => b.claim - a.claim || (a.node < b.node ? -1 : 1));
    const before = this.#standings[who] ?? NO_STANDING;
    const { standing, drop } = planStanding(before, this.#associations[who] ?? [], rival, this.#names[who] ?? "");
    this.#standings[who] = standing;
    if (!drop) return;
    this.#associations[who] = [];
    // Charon tells the edge, which comes again at once when it was there.
    if (who === this.#at) this.move(who);
  }

  settle(): void {
    for (let round = 0; round < 20; round++) for (const who of [0, 1, 2]) this.look(who);
  }

  claims(): readonly string[] {
    return this.#names.filter((_, who) => this.#standings[who]?.claim !== undefined);
  }
}
