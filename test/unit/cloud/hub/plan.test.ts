import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Manifest, parseManifestFile } from "../../../../cloud/hub/manifests.ts";
import { ObjectLog } from "../../../../cloud/hub/object-log.ts";
import { planEvents } from "../../../../cloud/hub/plan.ts";
import { objectUid } from "../../../../cloud/hub/uid.ts";

function manifests(services: Readonly<Record<string, string>>): readonly Manifest[] {
  const text = Object.entries(services)
    .map(([name, ip]) => `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {clusterIP: ${ip}}\n`)
    .join("---\n");
  const result = parseManifestFile(text);
  if (!result.ok) throw new Error(result.error.reason);
  return result.value.manifests;
}

describe("events", () => {
  test("say what came, changed and went, each with a version of its own", () => {
    const log = new ObjectLog(100);
    log.append(planEvents(log.objects, manifests({ a: "10.0.0.1", b: "10.0.0.2" }), log.version, objectUid));
    const events = planEvents(log.objects, manifests({ b: "10.0.0.3", c: "10.0.0.4" }), log.version, objectUid);
    expect(events.map((e) => [e.type, e.object.key, e.object.version, e.before?.version])).toEqual([
      ["DELETED", "default/a", 103, 101],
      ["MODIFIED", "default/b", 104, 102],
      ["ADDED", "default/c", 105, undefined],
    ]);
    expect(events[0]?.object.json["metadata"]).toMatchObject({ resourceVersion: "103", name: "a" });
  });

  test("there are none when nothing changed", () => {
    const log = new ObjectLog(100);
    log.append(planEvents(log.objects, manifests({ a: "10.0.0.1" }), log.version, objectUid));
    expect(planEvents(log.objects, manifests({ a: "10.0.0.1" }), log.version, objectUid)).toEqual([]);
  });

  test("an object has the same uid in every run, and no other object has it", () => {
    expect(objectUid("/services d/a")).toBe(objectUid("/services d/a"));
    expect(objectUid("/services d/a")).not.toBe(objectUid("/services d/b"));
    expect(objectUid("x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe("the object log", () => {
  test("replayed from any version gives what is served", () => {
    const states = fc.array(fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("10.0.0.1", "10.0.0.2")), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(states, fc.nat(), (folders, pick) => {
        const log = new ObjectLog(100);
        const snapshots = [{ version: 100, objects: new Map(log.objects) }];
        for (const folder of folders) {
          log.append(planEvents(log.objects, manifests(folder), log.version, objectUid));
          snapshots.push({ version: log.version, objects: new Map(log.objects) });
        }
        const from = snapshots[pick % snapshots.length];
        if (from === undefined) throw new Error("no snapshot");
        for (const event of log.since(from.version) ?? []) {
          if (event.type === "DELETED") from.objects.delete(event.object.id);
          else from.objects.set(event.object.id, event.object);
        }
        expect(from.objects).toEqual(log.objects);
      }),
    );
  });

  test("does not know versions of before it, of after it, or from before its memory", () => {
    const log = new ObjectLog(100);
    expect(log.since(99)).toBeUndefined();
    expect(log.since(101)).toBeUndefined();
    expect(log.since(100)).toEqual([]);
    for (let i = 0; i < 10_001; i++) {
      log.append(planEvents(log.objects, manifests({ a: `10.0.${i >> 8}.${i & 255}` }), log.version, objectUid));
    }
    expect(log.since(100)).toBeUndefined();
    expect(log.since(101)?.length).toBe(10_000);
  });
});
