import { describe, expect, test } from "bun:test";
import { type RollingAgent, Rollout } from "../../../../cloud/operator/rollout.ts";

/** Nodes n0 to n(count - 1), each with an agent that works, and those that ask to have it replaced. */
class World {
  readonly turns: string[] = [];
  readonly told: (readonly string[])[] = [];
  readonly away = new Set<string>();
  readonly rollout: Rollout;

  constructor(count: number) {
    this.rollout = new Rollout({
      isLive: (node) => !this.away.has(node),
      agentCount: () => count,
      onTurn: (node) => this.turns.push(node),
      onWait: (unready) => this.told.push(unready),
    });
    this.rollout.begin(names(count).map((node) => agent(node)));
  }

  /** @returns those of them that may be replaced */
  ask(nodes: readonly string[]): readonly string[] {
    return nodes.filter((node) => this.rollout.mayReplace(node));
  }

  takeTurns(): readonly string[] {
    return this.turns.splice(0);
  }
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `n${i}`);
}

function agent(node: string, over: Partial<RollingAgent> = {}): RollingAgent {
  return { node, ready: true, terminating: false, ended: false, ...over };
}

describe("agents of another spec", () => {
  test.each([
    [1, 1],
    [9, 1],
    [10, 1],
    [30, 3],
    [1000, 100],
  ])("of %d nodes are replaced on %d at a time", (count, atOnce) => {
    const { rollout } = new World(count);
    expect(names(count).filter((node) => rollout.mayReplace(node))).toEqual([...names(atOnce)]);
    expect([rollout.unreadyCount, rollout.waitingCount]).toEqual([atOnce, count - atOnce]);
  });

  test("follow one another as their successors become ready, and stop where these do not", () => {
    const world = new World(20);
    expect(world.ask(names(20))).toEqual(["n0", "n1"]);
    expect(world.told).toEqual([["n0", "n1"]]);
    world.rollout.see("n0", [agent("n0", { terminating: true })], false);
    world.rollout.see("n0", [], false);
    world.rollout.see("n0", [agent("n0", { ready: false }), agent("n0", { ended: true })], true);
    expect(world.takeTurns()).toEqual([]);
    world.rollout.see("n0", [agent("n0")], true);
    expect(world.takeTurns()).toEqual(["n2"]);
    expect(world.ask(["n2", "n3"])).toEqual(["n2"]);
    expect(world.told).toHaveLength(1);
  });

  test("do not wait for nodes that are away, nor for those that are to have none", () => {
    const world = new World(20);
    world.ask(names(20));
    world.away.add("n0");
    world.rollout.see("n0", [agent("n0", { terminating: true })], false);
    expect(world.takeTurns()).toEqual(["n2"]);
    world.rollout.forget("n1");
    expect(world.takeTurns()).toEqual(["n2", "n3"]);
    expect(world.rollout.unreadyCount).toBe(0);
  });

  test("count as gone from when they are told to end, though they are seen to work for a moment longer", () => {
    const world = new World(10);
    expect(world.ask(names(10))).toEqual(["n0"]);
    world.rollout.see("n0", [agent("n0")], false);
    expect(world.takeTurns()).toEqual([]);
    expect(world.ask(["n1", "n0"])).toEqual(["n0"]);
    // The spec of before is wanted again.
    world.rollout.see("n0", [agent("n0")], true);
    expect(world.takeTurns()).toEqual(["n1"]);
  });

  test("wait for the agents that already do not work when somebody begins to lead", () => {
    const world = new World(20);
    world.away.add("n9");
    const broken = ["n7", "n8", "n9"].map((node) => agent(node, { ready: false }));
    const leaving = agent("n7", { terminating: true });
    world.rollout.begin([...names(7).map((node) => agent(node)), ...broken, leaving, agent("n8")]);
    expect(world.rollout.unreadyCount).toBe(1);
    expect(world.ask(["n0", "n1"])).toEqual(["n0"]);
  });

  test("are told of once for each time that they wait", () => {
    const world = new World(10);
    for (let rollout = 1; rollout <= 2; rollout++) {
      for (const node of world.ask(names(10))) world.rollout.see(node, [agent(node)], true);
      while (world.rollout.waitingCount > 0) {
        const [next = ""] = world.takeTurns();
        expect(world.ask([next])).toEqual([next]);
        world.rollout.see(next, [agent(next)], true);
      }
      expect(world.told).toHaveLength(rollout);
    }
  });
});
