import { expect, test } from "bun:test";
import { KindCache, OBJECTS_MAX } from "../../../../edge/cache/kind-cache.ts";
import { PendingWrites } from "../../../../edge/cache/pending-writes.ts";

test("objects that come one by one add up to no more than a list may have, and the known ones still change", () => {
  const cache = new KindCache(
    "Service",
    new PendingWrites(),
    () => 0,
    (text) => text,
  );
  const come = (name: string, clusterIP: string) => {
    const decoded = cache.decoder.decode({ metadata: { namespace: "d", name }, spec: { clusterIP } });
    if (!decoded.ok) throw new Error(decoded.error.why);
    const object = { key: `d/${name}`, uid: name, resourceVersion: "1", value: decoded.value };
    return cache.apply({ type: "upsert", object, origin: "live" }, false).length;
  };
  for (let number = 0; number < OBJECTS_MAX; number++) come(`s${number}`, "10.96.0.1");
  expect(cache.status().objectCount).toBe(OBJECTS_MAX);
  expect(come("one-more", "10.96.0.1")).toBe(0);
  expect(cache.status()).toMatchObject({ objectCount: OBJECTS_MAX, rejectedCount: 1 });
  expect(cache.status().rejected[0]).toMatchObject({ key: "d/one-more", why: `one more than ${OBJECTS_MAX} objects` });
  expect(come("s1", "10.96.0.2")).toBe(1);
});
