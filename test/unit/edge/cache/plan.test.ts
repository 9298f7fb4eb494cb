import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { KindMemory } from "../../../../edge/cache/kind-memory.ts";
import { type CachePlan, type Digested, planEvent } from "../../../../edge/cache/plan.ts";
import type { ListWatchEvent, Observed, Origin } from "../../../../src/kube/list-watch-event.ts";

type Event = ListWatchEvent<Digested>;

function object(key: string, version: number, content = "x", uid = `uid-${key}`): Observed<Digested> {
  return { key, uid, resourceVersion: String(version), value: { digest: content } };
}

function list(version: number, items: readonly Observed<Digested>[], authoritative = true): Event {
  return { type: "list", authoritative, resourceVersion: String(version), items, rejected: [] };
}

const upsert = (origin: Origin, of: Observed<Digested>): Event => ({ type: "upsert", origin, object: of });
const gone = (of: Observed<Digested>): Event => ({ type: "delete", object: of });

/** Feeds events and says what everybody else gets to see of each. */
class Play {
  readonly memory = new KindMemory();
  readonly #replays: boolean;
  constructor(replays = true) {
    this.#replays = replays;
  }

  feed(event: Event): string {
    const plan = this.plan(event);
    this.memory.apply(plan);
    return [...plan.put.map((o) => `+${o.key}`), ...plan.drop.map((key) => `-${key}`)].join(" ");
  }

  plan(event: Event): CachePlan<Digested> {
    return planEvent(this.memory, event, this.#replays);
  }

  get keys(): string {
    return [...this.memory.objects.keys()].sort().join(" ");
  }
}

function numbered(count: number): Observed<Digested>[] {
  return Array.from({ length: count }, (_, i) => object(`d/${i}`, i + 1));
}

describe("an authoritative list", () => {
  test("brings what is new and takes what is absent", () => {
    const play = new Play();
    expect(play.feed(list(10, [object("a", 1), object("b", 2)]))).toBe("+a +b");
    expect(play.feed(list(11, [object("b", 2), object("c", 11)]))).toBe("+c -a");
  });

  test("that says nothing new changes nothing, new versions of the same content included", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1)]));
    expect(play.feed(list(11, [object("a", 1)]))).toBe("");
    expect(play.feed(list(12, [object("a", 12)]))).toBe("");
    expect(play.memory.objects.get("a")?.resourceVersion).toBe("12");
  });

  test("that is suddenly empty deletes nothing until a second one says the same", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1)]));
    expect(play.feed(list(11, []))).toBe("");
    expect(play.memory.heldDeletions).toBe(1);
    expect(play.feed(list(12, []))).toBe("-a");
    expect(play.memory.heldDeletions).toBe(0);
  });

  test("that loses more than half of twenty or more has to be said twice", () => {
    const play = new Play();
    play.feed(list(100, numbered(20)));
    expect(play.feed(list(101, numbered(9)))).toBe("");
    expect(play.memory.heldDeletions).toBe(11);
    expect(play.feed(list(102, numbered(9))).split(" ").length).toBe(11);
  });

  test("that loses exactly half, or most of a few, is believed", () => {
    const twenty = new Play();
    twenty.feed(list(100, numbered(20)));
    expect(twenty.feed(list(101, numbered(10))).split(" ").length).toBe(10);
    const few = new Play();
    few.feed(list(100, numbered(19)));
    expect(few.feed(list(101, numbered(1))).split(" ").length).toBe(18);
  });

  test("after a suspicious one, a healthy one clears the suspicion, so that the next is suspicious again", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1)]));
    play.feed(list(11, []));
    play.feed(list(12, [object("a", 1)]));
    expect(play.feed(list(13, []))).toBe("");
    expect(play.keys).toBe("a");
  });

  test("that is suspicious still brings what is new", () => {
    const play = new Play();
    play.feed(list(100, numbered(30)));
    expect(play.feed(list(101, [object("d/new", 101)]))).toBe("+d/new");
    expect(play.memory.objects.size).toBe(31);
  });

  test("does not take an object that it names and that cannot be read", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1), object("b", 1)]));
    const event: Event = {
      type: "list",
      authoritative: true,
      resourceVersion: "11",
      items: [],
      rejected: [{ key: "a", at: "", why: "too large" }],
    };
    expect(play.feed(event)).toBe("-b");
  });

  test("takes nothing when an object in it has no name that we can read", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1), object("b", 1)]));
    const event: Event = {
      type: "list",
      authoritative: true,
      resourceVersion: "11",
      items: [object("a", 1)],
      rejected: [{ key: undefined, at: "", why: "not JSON" }],
    };
    expect(play.feed(event)).toBe("");
    expect(play.keys).toBe("a b");
  });

  test("brings a buried object back", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 5)]));
    play.feed(gone(object("a", 11)));
    expect(play.feed(list(12, [object("a", 5)]))).toBe("+a");
    expect(play.memory.tombstones.size).toBe(0);
  });
});

describe("a list that is not trusted", () => {
  test("takes nothing, empty or not", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1), object("b", 2)]));
    expect(play.feed(list(0, [], false))).toBe("");
    expect(play.feed(list(7, [object("b", 2)], false))).toBe("");
    expect(play.keys).toBe("a b");
  });

  test("fills a cache that knows nothing yet", () => {
    const play = new Play();
    expect(play.feed(list(7, [object("a", 1)], false))).toBe("+a");
  });

  test("does not bring back what the last trusted list left out", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1)]));
    expect(play.feed(list(7, [object("a", 1), object("ghost", 9)], false))).toBe("");
    expect(play.feed(list(7, [object("young", 11)], false))).toBe("+young");
  });
});

describe("a replayed object", () => {
  test("that was deleted stays dead until a newer version or a trusted list says otherwise", () => {
    const play = new Play();
    play.feed(upsert("replay", object("a", 5)));
    expect(play.feed(gone(object("a", 8)))).toBe("-a");
    expect(play.feed(upsert("replay", object("a", 5)))).toBe("");
    expect(play.feed(upsert("replay", object("a", 8)))).toBe("");
    expect(play.feed(upsert("replay", object("a", 9, "x", "another")))).toBe("+a");
    expect(play.memory.tombstones.size).toBe(0);
  });

  test("is dead by its uid where versions are no numbers", () => {
    const play = new Play();
    play.feed(upsert("replay", { ...object("a", 5), resourceVersion: "v5" }));
    play.feed(gone({ ...object("a", 5), resourceVersion: "v6" }));
    expect(play.feed(upsert("replay", { ...object("a", 5), resourceVersion: "v5" }))).toBe("");
    expect(play.feed(upsert("replay", { ...object("a", 5, "x", "other"), resourceVersion: "v9" }))).toBe("+a");
  });

  test("stays dead after a deletion that carries the version of the last store", () => {
    const play = new Play();
    play.feed(upsert("live", object("a", 9)));
    play.feed(gone(object("a", 4)));
    expect(play.feed(upsert("replay", object("a", 9)))).toBe("");
  });

  test("that is older than what is known changes nothing", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 9, "new")]));
    expect(play.feed(upsert("replay", object("a", 4, "old")))).toBe("");
    expect(play.feed(upsert("replay", object("a", 12, "newer")))).toBe("+a");
  });

  test("that the last trusted list left out is a ghost, also after a restart", () => {
    const play = new Play();
    play.memory.trustedVersion = "10";
    expect(play.feed(upsert("replay", object("ghost", 10)))).toBe("");
    expect(play.feed(upsert("replay", object("young", 11)))).toBe("+young");
  });
});

describe("a live event", () => {
  test("of a source that replays is a ghost, too, where the last trusted list left the object out", () => {
    const play = new Play();
    play.feed(list(10, [object("a", 1)]));
    expect(play.feed(upsert("live", object("ghost", 9)))).toBe("");
    expect(play.feed(upsert("live", object("young", 11)))).toBe("+young");
  });

  test("of a source that replays nothing is no ghost, also where it counts from further back since", () => {
    const play = new Play(false);
    play.feed(list(10, [object("a", 1)]));
    expect(play.feed(upsert("live", object("young", 9)))).toBe("+young");
  });

  test("that comes late changes nothing, and one of a new object of that name does", () => {
    const play = new Play();
    play.feed(upsert("live", object("a", 9, "new")));
    expect(play.feed(upsert("live", object("a", 8, "old")))).toBe("");
    expect(play.feed(upsert("live", object("a", 8, "old", "other uid")))).toBe("+a");
  });

  test("of an older object of that name does not delete the one that is there", () => {
    const play = new Play();
    play.feed(upsert("live", object("a", 9)));
    expect(play.feed(gone(object("a", 5, "x", "earlier uid")))).toBe("");
    expect(play.feed(gone(object("a", 12, "x", "later uid")))).toBe("-a");
  });

  test("deletes what carries neither uid nor version, as an oversized line does", () => {
    const play = new Play();
    play.feed(upsert("live", object("a", 9)));
    expect(play.feed(gone({ ...object("a", 0, "x", ""), resourceVersion: "" }))).toBe("-a");
    expect(play.memory.tombstones.get("a")).toEqual({ uid: "uid-a", resourceVersion: "9" });
  });

  test("buries only where the source brings the dead back", () => {
    const play = new Play(false);
    play.feed(upsert("live", object("a", 9)));
    play.feed(gone(object("a", 10)));
    expect(play.memory.tombstones.size).toBe(0);
  });

  test("of an object that is no longer for us takes it away", () => {
    const play = new Play();
    play.feed(upsert("live", object("a", 9)));
    expect(play.feed(upsert("live", { ...object("a", 10), value: undefined }))).toBe("-a");
  });
});

describe("tombstones", () => {
  test("are bounded: the oldest makes room", () => {
    const play = new Play();
    for (let i = 0; i < 10_002; i++) play.feed(gone(object(`d/${i}`, i + 1)));
    expect(play.memory.tombstones.size).toBe(10_000);
    expect(play.memory.tombstones.has("d/1")).toBe(false);
    expect(play.memory.tombstones.has("d/2")).toBe(true);
  });
});

/**
 * A model of metaServer: the cloud's truth, a store on the node that misses deletions while offline and replays all it
 * has, and lists that are the truth online and the store offline.
 */
describe("with a metaServer that keeps ghosts", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("put" as const), key: fc.integer({ min: 0, max: 5 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("remove" as const), key: fc.integer({ min: 0, max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("watch" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("list" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "join" as const) }) },
  );

  test("nothing that the cloud has is ever lost, and after a trusted list everything is as the cloud says", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const play = new Play();
        const truth = new Map<string, Observed<Digested>>();
        const store = new Map<string, Observed<Digested>>();
        let version = 100;
        let online = true;
        const trusted = () => play.feed(list(version, [...truth.values()]));
        for (const next of steps) {
          switch (next.do) {
            case "put": {
              version += 1;
              const key = `d/${next.key}`;
              const put = object(key, version, String(version), truth.get(key)?.uid ?? `uid-${version}`);
              truth.set(key, put);
              if (!online) break;
              store.set(key, put);
              play.feed(upsert("live", put));
              break;
            }
            case "remove": {
              version += 1;
              const key = `d/${next.key}`;
              const old = truth.get(key);
              truth.delete(key);
              if (!online || old === undefined) break;
              store.delete(key);
              play.feed(gone({ ...old, resourceVersion: String(version) }));
              break;
            }
            case "watch":
              for (const stored of store.values()) play.feed(upsert("replay", stored));
              break;
            case "list":
              if (online) trusted();
              else play.feed(list(1, [...store.values()], false));
              break;
            case "cut":
              online = false;
              break;
            case "join":
              // Updates and creations are repaired, deletions are not.
              online = true;
              for (const [key, put] of truth) {
                if (store.get(key) !== put) play.feed(upsert("live", put));
                store.set(key, put);
              }
              break;
          }
          if (online)
            for (const [key, put] of truth) expect(play.memory.objects.get(key)?.digest).toBe(put.value?.digest);
        }
        // Twice: the first may be suspicious.
        trusted();
        trusted();
        for (const stored of store.values()) play.feed(upsert("replay", stored));
        expect(play.keys).toBe([...truth.keys()].sort().join(" "));
        expect(trusted()).toBe("");
      }),
      { numRuns: 500 },
    );
  });
});
