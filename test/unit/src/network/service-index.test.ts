import { expect, test } from "bun:test";
import fc from "fast-check";
import type { EndpointSlice } from "../../../../src/network/endpoint.ts";
import type { ObjectChange } from "../../../../src/network/object-change.ts";
import { ServiceIndex } from "../../../../src/network/service-index.ts";
import { makeService } from "../../../support/network-objects.ts";

function slice(name: string, of: string): EndpointSlice {
  return { namespace: "shop", name, service: of, family: 4, ports: [], endpoints: [] };
}

const upsertService = (name: string): ObjectChange => ({
  kind: "Service",
  key: `shop/${name}`,
  value: makeService(`shop/${name}`),
});
const upsertSlice = (name: string, of: string): ObjectChange => ({
  kind: "EndpointSlice",
  key: `shop/${name}`,
  value: slice(name, of),
});

test("a slice that comes before its service waits for it", () => {
  const index = new ServiceIndex();
  expect([...index.apply([upsertSlice("web-1", "web")])]).toEqual(["shop/web"]);
  expect(index.get("shop/web")).toBeUndefined();
  index.apply([upsertService("web")]);
  expect(index.get("shop/web")?.slices.map((s) => s.name)).toEqual(["web-1"]);
});

test("Endpoints speak for a service only while it has no slice", () => {
  const index = new ServiceIndex();
  index.apply([
    upsertService("web"),
    { kind: "Endpoints", key: "shop/web", value: [slice("from-endpoints", "web")] },
    upsertSlice("web-1", "web"),
  ]);
  expect(index.get("shop/web")?.slices.map((s) => s.name)).toEqual(["web-1"]);
  index.apply([{ kind: "EndpointSlice", key: "shop/web-1", value: undefined }]);
  expect(index.get("shop/web")?.slices.map((s) => s.name)).toEqual(["from-endpoints"]);
});

test("Endpoints that are preferred speak for each service that has them, an empty object too", () => {
  const index = new ServiceIndex();
  index.apply([
    ...["both", "empty", "slices"].flatMap((name) => [upsertService(name), upsertSlice(`${name}-1`, name)]),
    { kind: "Endpoints", key: "shop/both", value: [slice("from-endpoints", "both")] },
    { kind: "Endpoints", key: "shop/empty", value: [] },
  ]);
  const names = () => [...index.views()].map((view) => view.slices.map((s) => s.name).join());
  expect([...index.preferEndpoints(true)]).toEqual(["shop/both", "shop/empty"]);
  expect(names()).toEqual(["from-endpoints", "", "slices-1"]);
  expect(index.preferEndpoints(true).size).toBe(0);
  expect([...index.preferEndpoints(false)]).toEqual(["shop/both", "shop/empty"]);
  expect(names()).toEqual(["both-1", "empty-1", "slices-1"]);
});

test("a slice that changes its service touches both", () => {
  const index = new ServiceIndex();
  index.apply([upsertService("old"), upsertService("new"), upsertSlice("s", "old")]);
  expect([...index.apply([upsertSlice("s", "new")])].sort()).toEqual(["shop/new", "shop/old"]);
  expect(index.get("shop/old")?.slices).toEqual([]);
  expect(index.get("shop/new")?.slices.length).toBe(1);
});

const name = fc.constantFrom("a", "b", "c");
const change: fc.Arbitrary<ObjectChange> = fc.oneof(
  name.map(upsertService),
  name.map((n): ObjectChange => ({ kind: "Service", key: `shop/${n}`, value: undefined })),
  fc.tuple(fc.constantFrom("s1", "s2", "s3"), name).map(([s, n]) => upsertSlice(s, n)),
  fc
    .constantFrom("s1", "s2", "s3")
    .map((s): ObjectChange => ({ kind: "EndpointSlice", key: `shop/${s}`, value: undefined })),
  name.map((n): ObjectChange => ({ kind: "Endpoints", key: `shop/${n}`, value: [slice("e", n)] })),
  name.map((n): ObjectChange => ({ kind: "Endpoints", key: `shop/${n}`, value: undefined })),
);

test("whatever happened before, the index shows what the newest objects say, and names every service it changed", () => {
  const picture = (index: ServiceIndex) =>
    new Map([...index.views()].map((v) => [v.key, v.slices.map((s) => s.name).sort()] as const));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const index = new ServiceIndex();
      for (const one of changes) {
        const before = picture(index);
        const touched = index.apply([one]);
        const after = picture(index);
        for (const key of new Set([...before.keys(), ...after.keys()])) {
          if (!Bun.deepEquals(before.get(key), after.get(key))) expect(touched.has(key)).toBe(true);
        }
      }
      const last = new Map(changes.map((c) => [`${c.kind}/${c.key}`, c]));
      const fresh = new ServiceIndex();
      fresh.apply(last.values());
      expect(picture(index)).toEqual(picture(fresh));
    }),
  );
});
