import { expect, test } from "bun:test";
import { type FolderObject, planFolderExports } from "../../../../cloud/global-services/folder-exports.ts";
import { ENDPOINT_SLICES, ENDPOINTS, GLOBAL_SERVICES, type Resource, SERVICES } from "../../../../src/kube/resource.ts";

const PLACE = { cluster: "shop-7", zone: "default", region: "default" };

function object(resource: Resource, name: string, more: object, metadata: object = {}): FolderObject {
  return { resource, key: `d/${name}`, object: { metadata: { namespace: "d", name, ...metadata }, ...more } };
}

const LABELLED = { labels: { "fabedge.io/global-service": "true" } };
const web = object(SERVICES, "web", { spec: { clusterIP: "10.96.0.9", ports: [{ port: 80 }] } }, LABELLED);
const db = object(SERVICES, "db", { spec: { clusterIP: "None", ports: [{ port: 5432 }] } }, LABELLED);
const own = [{ addresses: ["10.96.0.9"], ...PLACE }];

const endpointsOf = (objects: readonly FolderObject[]) =>
  planFolderExports(objects, PLACE).globals.map(({ key, object: { spec } }) => [
    key,
    (spec as { readonly endpoints: unknown }).endpoints,
  ]);

test("a folder's labelled Service is exported, and another is not", () => {
  const other = object(SERVICES, "other", { spec: { clusterIP: "10.96.0.8", ports: [{ port: 80 }] } });
  expect(endpointsOf([web, other])).toEqual([["d/web", own]]);
});

test("a headless Service's slices are found by its name, and its Endpoints where it has no slices", () => {
  const labels = { "kubernetes.io/service-name": "db" };
  const slice = object(
    ENDPOINT_SLICES,
    "db-1",
    { addressType: "IPv4", endpoints: [{ addresses: ["10.1.0.5"] }] },
    { labels },
  );
  const endpoints = object(ENDPOINTS, "db", {
    subsets: [{ addresses: [{ ip: "10.1.0.6", hostname: "db-0" }], ports: [{ port: 5432 }] }],
  });
  expect(endpointsOf([db, slice, endpoints])).toEqual([["d/db", [{ addresses: ["10.1.0.5"], ...PLACE }]]]);
  expect(endpointsOf([db, endpoints])).toEqual([["d/db", [{ addresses: ["10.1.0.6"], hostname: "db-0", ...PLACE }]]]);
});

test("a GlobalService that lies in the folder keeps what it says of other clusters", () => {
  const theirs = { addresses: ["10.97.0.9"], cluster: "lyon", zone: "sud", region: "fr" };
  const written = object(GLOBAL_SERVICES, "web", { spec: { type: "ClusterIP", endpoints: [theirs] } }, { labels: {} });
  expect(endpointsOf([web, written])).toEqual([["d/web", [theirs, ...own]]]);
});

test("a Service that cannot be exported is said to be one", () => {
  const alias = object(SERVICES, "a", { spec: { type: "ExternalName", externalName: "a.example" } }, LABELLED);
  expect(planFolderExports([alias], PLACE)).toMatchObject({ globals: [], problems: [{ code: "EXPORT_REFUSED" }] });
});
