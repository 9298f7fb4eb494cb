import { expect, test } from "bun:test";
import { parseGlobalService } from "../../../../../src/kube/objects/global-service.ts";

const metadata = { namespace: "shop", name: "web" };
const HERE = { addresses: ["10.96.0.10", "FD00::0:A"], cluster: "Paris", zone: "Nord", region: "fr" };

/** What it is, or where it is wrong. */
function read(spec: object | undefined, of: object = metadata) {
  const result = parseGlobalService({ metadata: of, spec });
  return result.ok ? result.value : result.error.at;
}

test("names' part of a GlobalService is read: names fold their case, zones and regions do not", () => {
  const targetRef = { kind: "Pod", name: "web-0", namespace: "shop" };
  const pod = { addresses: ["10.2.0.9"], hostname: "Web-0", targetRef, cluster: "lyon" };
  expect(read({ type: "Headless", ports: [{ port: 80 }], endpoints: [HERE, pod] })).toEqual({
    namespace: "shop",
    name: "web",
    headless: true,
    endpoints: [
      { addresses: ["10.96.0.10", "fd00::a"], hostname: undefined, cluster: "paris", zone: "Nord", region: "fr" },
      { addresses: ["10.2.0.9"], hostname: "web-0", cluster: "lyon", zone: undefined, region: undefined },
    ] as never,
  });
});

test("a service that nobody has a part in is one all the same", () => {
  const empty = { ...metadata, headless: false, endpoints: [] };
  expect([read(undefined), read({}), read({ type: "ClusterIP", endpoints: null })]).toEqual([empty, empty, empty]);
});

test("an empty word is none", () => {
  const endpoint = { addresses: [], hostname: "", cluster: "", zone: "", region: "" };
  const none = { addresses: [], hostname: undefined, cluster: undefined, zone: undefined, region: undefined };
  expect(read({ endpoints: [endpoint] })).toMatchObject({ endpoints: [none] });
});

test.each([
  ["spec.type", { type: "ExternalName" }],
  ["spec.endpoints", { endpoints: Array(4097).fill({}) }],
  ["spec.endpoints[0].addresses", { endpoints: [{ addresses: Array(101).fill("10.0.0.1") }] }],
  ["spec.endpoints[1].addresses[0]", { endpoints: [HERE, { addresses: ["10.0.0.256"] }] }],
  ["spec.endpoints[0].cluster", { endpoints: [{ ...HERE, cluster: "x".repeat(254) }] }],
])("what is wrong at %s is told by its place", (at, spec) => {
  expect(read(spec)).toBe(at);
});

test("without a name or namespace it is nobody's", () => {
  expect([read({}, { name: "web" }), read({}, { namespace: "shop" })]).toEqual(["metadata.namespace", "metadata.name"]);
});
