import { describe, expect, test } from "bun:test";
import type { ListWatchEvent, Observed, Rejected } from "../../../../src/kube/list-watch-event.ts";
import { ObjectStore, type StoreChange } from "../../../../src/kube/object-store.ts";

interface Value {
  readonly text: string;
}

function observed(key: string, version: number, text: string | undefined, uid = `uid-${key}`): Observed<Value> {
  return { key, uid, resourceVersion: String(version), value: text === undefined ? undefined : { text } };
}

function list(items: readonly Observed<Value>[], rejected: readonly Rejected[] = []): ListWatchEvent<Value> {
  return { type: "list", authoritative: true, resourceVersion: "100", items, rejected };
}

const live = (object: Observed<Value>): ListWatchEvent<Value> => ({ type: "upsert", object, origin: "live" });
const text = (changes: readonly StoreChange<Value>[]) =>
  changes.map(({ key, before, now }) => `${key} ${before?.value.text ?? "-"}>${now?.value.text ?? "-"}`);

function filled(count = 3): ObjectStore<Value> {
  const store = new ObjectStore<Value>();
  store.apply(list(Array.from({ length: count }, (_, i) => observed(`k${i}`, i + 1, `v${i}`))));
  return store;
}

describe("a store", () => {
  test("is synced with its first list, and tells what each event changes", () => {
    const store = new ObjectStore<Value>();
    expect(store.synced).toBeFalse();
    expect(text(store.apply(list([observed("a", 1, "x"), observed("b", 2, undefined)])))).toEqual(["a ->x"]);
    expect(store.synced).toBeTrue();
    expect(text(store.apply(live(observed("a", 3, "y"))))).toEqual(["a x>y"]);
    expect(text(store.apply({ type: "delete", object: observed("a", 4, "y") }))).toEqual(["a y>-"]);
    expect(store.size).toBe(0);
  });

  test("an object that means the same under a new version changes nothing, and has the new version", () => {
    const store = filled();
    const before = store.get("k0")?.value;
    expect(store.apply(live(observed("k0", 50, "v0")))).toEqual([]);
    expect(store.get("k0")?.resourceVersion).toBe("50");
    expect(store.get("k0")?.value).toBe(before as Value);
    expect(store.apply(list([0, 1, 2].map((i) => observed(`k${i}`, 60 + i, `v${i}`))))).toEqual([]);
  });

  test("an object of the same name and content that is another one is a change", () => {
    expect(text(filled().apply(live(observed("k0", 50, "v0", "another"))))).toEqual(["k0 v0>v0"]);
  });

  test("an object that is of no use any more is gone", () => {
    expect(text(filled().apply(live(observed("k0", 50, undefined))))).toEqual(["k0 v0>-"]);
  });

  test("one that cannot be read any more keeps its last good value, also in a list", () => {
    const store = filled();
    const rejected = { key: "k0", at: "spec", why: "bad" };
    expect(store.apply({ type: "rejected", rejected })).toEqual([]);
    expect(store.apply(list([observed("k1", 2, "v1"), observed("k2", 3, "v2")], [rejected]))).toEqual([]);
    expect(store.get("k0")?.value.text).toBe("v0");
    expect([...store.rejected.values()]).toEqual([rejected]);
    store.apply(live(observed("k0", 50, "good")));
    expect(store.rejected.size).toBe(0);
  });

  test("a list with an object that has no name deletes nothing", () => {
    const store = filled();
    expect(store.apply(list([observed("k1", 2, "v1")], [{ key: undefined, at: "", why: "not JSON" }]))).toEqual([]);
    expect(store.size).toBe(3);
  });

  test("an empty list, or one that lacks most objects, is believed the second time", () => {
    const store = filled(3);
    expect(store.apply(list([]))).toEqual([]);
    expect(store.heldDeletions).toBe(3);
    expect(text(store.apply(list([])))).toEqual(["k0 v0>-", "k1 v1>-", "k2 v2>-"]);
    expect(store.heldDeletions).toBe(0);

    const large = filled(40);
    const few = Array.from({ length: 10 }, (_, i) => observed(`k${i}`, i + 1, `v${i}`));
    expect(large.apply(list(few))).toEqual([]);
    expect(large.heldDeletions).toBe(30);
    large.apply(list(Array.from({ length: 40 }, (_, i) => observed(`k${i}`, i + 1, `v${i}`))));
    expect([large.size, large.heldDeletions]).toEqual([40, 0]);
    expect(large.apply(list(few.slice(0, 9)))).toEqual([]);
  });

  test("an ordinary deletion by a list is believed at once", () => {
    expect(text(filled().apply(list([observed("k0", 1, "v0"), observed("k2", 3, "v2")])))).toEqual(["k1 v1>-"]);
  });

  test("what we wrote ourselves counts at once, and the older events that were on their way do not", () => {
    const store = filled();
    store.wrote(observed("k0", 20, "ours"));
    expect(store.get("k0")?.value.text).toBe("ours");
    expect(store.apply(live(observed("k0", 10, "older")))).toEqual([]);
    expect(store.apply(live(observed("k0", 20, "ours")))).toEqual([]);
    expect(text(store.apply(live(observed("k0", 21, "newer"))))).toEqual(["k0 ours>newer"]);
    store.wrote(observed("k0", 15, "late answer"));
    expect(store.get("k0")?.value.text).toBe("newer");
  });

  test("the deletion of an object's predecessor, told late, leaves the object", () => {
    const store = filled();
    store.wrote(observed("k0", 30, "new", "uid-2"));
    expect(store.apply({ type: "delete", object: observed("k0", 25, undefined) })).toEqual([]);
    expect(text(store.apply({ type: "delete", object: observed("k0", 40, undefined, "uid-2") }))).toEqual(["k0 new>-"]);
  });
});
