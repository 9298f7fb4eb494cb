import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DecodeError, Result } from "../../../../../src/base/result.ts";
import { parseCluster } from "../../../../../src/kube/objects/cluster.ts";
import { NODE_ANNOTATION_LENGTH_MAX, parseClusterNode } from "../../../../../src/kube/objects/cluster-node.ts";
import { parseCommunity } from "../../../../../src/kube/objects/community.ts";
import { parseConfigMap } from "../../../../../src/kube/objects/config-map.ts";
import { parseIpamBlock } from "../../../../../src/kube/objects/ipam-block.ts";
import { parseSecret } from "../../../../../src/kube/objects/secret.ts";

const FILTER = { labels: new Set(["role"]), annotations: (name: string) => name.startsWith("fabedge.io/") };
const parseNode = (json: unknown) => parseClusterNode(json, FILTER);

function reason(result: Result<unknown, DecodeError>): string {
  return result.ok ? "" : `${result.error.at}: ${result.error.why}`;
}

function read<T>(result: Result<T, DecodeError>): unknown {
  return result.ok ? result.value : `${result.error.at}: ${result.error.why}`;
}

describe("a node of the cluster", () => {
  const node = (over: object = {}, metadata: object = {}) => ({
    metadata: { name: "e1", ...metadata },
    ...over,
  });

  test("has its identity, the labels and annotations that are asked for, and its internal addresses", () => {
    const json = node(
      {
        spec: { podCIDRs: ["10.1.7.0/24", "fd00:7::/64"] },
        status: {
          conditions: [
            { type: "MemoryPressure", status: "False" },
            { type: "Ready", status: "True" },
          ],
          addresses: [
            { type: "InternalIP", address: "192.168.9.7" },
            { type: "ExternalIP", address: "203.0.113.7" },
            { type: "Hostname", address: "e1" },
          ],
        },
      },
      {
        uid: "u",
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { role: "", "kubernetes.io/arch": "arm64" },
        annotations: { "fabedge.io/subnets": "10.1.7.0/24", "other/annotation": "x".repeat(100_000) },
      },
    );
    expect(read(parseNode(json))).toEqual({
      name: "e1",
      uid: "u",
      created: "2026-01-01T00:00:00Z",
      labels: { role: "" },
      annotations: { "fabedge.io/subnets": "10.1.7.0/24" },
      ready: true,
      internalIps: ["192.168.9.7"],
      podCidrs: [
        { address: "10.1.7.0", length: 24 },
        { address: "fd00:7::", length: 64 },
      ],
    });
  });

  test("may have nothing yet", () => {
    expect(read(parseNode(node()))).toMatchObject({
      labels: {},
      annotations: {},
      ready: false,
      internalIps: [],
      podCidrs: [],
    });
  });

  test("that is beyond a bound is refused", () => {
    const annotations = { "fabedge.io/subnets": "x".repeat(NODE_ANNOTATION_LENGTH_MAX + 1) };
    expect(reason(parseNode(node({}, { annotations })))).toContain(
      "metadata.annotations.fabedge.io/subnets: longer than",
    );
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`fabedge.io/${i}`, ""]));
    expect(reason(parseNode(node({}, { annotations: many })))).toContain("more than 128");
    expect(reason(parseNode(node({}, { labels: ["role"] })))).toContain("not an object");
  });
});

describe("a community", () => {
  test("has its members as they are written, and nobody when it names none", () => {
    const json = { metadata: { name: "c", generation: 3 }, spec: { members: ["a.b", "a.b", "x"] } };
    expect(read(parseCommunity(json))).toEqual({ name: "c", generation: 3, members: ["a.b", "a.b", "x"] });
    expect(read(parseCommunity({ metadata: { name: "c" } }))).toEqual({ name: "c", generation: 0, members: [] });
  });

  test("with members that are no names is refused", () => {
    expect(reason(parseCommunity({ metadata: { name: "c" }, spec: { members: [{}] } }))).toContain("spec.members[0]");
  });
});

describe("a cluster", () => {
  const endpoint = { name: "lyon.connector", subnets: ["10.2.0.0/24"], type: "Gateway" };

  test("has its networks and endpoints, in either spelling, and does not carry its token along", () => {
    for (const field of ["endpoints", "endPoints"]) {
      const json = {
        metadata: { name: "lyon" },
        spec: { token: "secret", cidrs: ["10.2.0.0/16"], [field]: [endpoint] },
      };
      const value = read(parseCluster(json));
      expect(value).toMatchObject({
        name: "lyon",
        cidrs: [{ address: "10.2.0.0", length: 16 }],
        endpoints: [{ name: "lyon.connector", type: undefined }],
        hasToken: true,
      });
      expect(JSON.stringify(value)).not.toContain("secret");
    }
    expect(read(parseCluster({ metadata: { name: "lyon" } }))).toMatchObject({ hasToken: false, endpoints: [] });
  });

  test("says where it is wrong", () => {
    const json = { metadata: { name: "lyon" }, spec: { endpoints: [endpoint, { ...endpoint, nodeSubnets: ["x"] }] } };
    expect(reason(parseCluster(json))).toBe("spec.endpoints[1].nodeSubnets[0]: not an IPv4 or IPv6 address");
  });
});

describe("a block of Calico's", () => {
  const block = (spec: object) => parseIpamBlock({ metadata: { name: "b" }, spec });

  test("is a node's, or nobody's", () => {
    expect(read(block({ cidr: "10.233.64.0/26", affinity: "host:cloud-1" }))).toMatchObject({ node: "cloud-1" });
    expect(read(block({ cidr: "10.233.64.0/26", affinity: "virtual:x" }))).toMatchObject({ node: undefined });
    expect(read(block({ cidr: "10.233.64.0/26" }))).toMatchObject({ cidr: { address: "10.233.64.0", length: 26 } });
  });

  test("that is being deleted is none", () => {
    expect(block({ cidr: "10.233.64.0/26", affinity: "host:cloud-1", deleted: true })).toEqual({
      ok: true,
      value: undefined,
    });
  });
});

describe("a ConfigMap and a Secret", () => {
  const metadata = { namespace: "fabedge", name: "x" };

  test("have their files", () => {
    expect(read(parseConfigMap({ metadata, data: { "tunnels.yaml": "name: a\n" } }))).toEqual({
      namespace: "fabedge",
      name: "x",
      data: new Map([["tunnels.yaml", "name: a\n"]]),
    });
    const secret = parseSecret({ metadata, type: "kubernetes.io/tls", data: { "tls.key": btoa("key"), empty: "" } });
    expect(read(secret)).toMatchObject({ type: "kubernetes.io/tls" });
    expect(secret.ok && secret.value.data.get("tls.key")).toEqual(new TextEncoder().encode("key"));
    expect(secret.ok && secret.value.data.get("empty")).toEqual(new Uint8Array());
  });

  test("that are wrong are refused, and no key is quoted", () => {
    expect(reason(parseSecret({ metadata, data: { "tls.key": "not base64!" } }))).toBe("data.tls.key: not base64");
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [String(i), ""]));
    expect(reason(parseConfigMap({ metadata, data: many }))).toContain("more than 256 entries");
  });
});

test("no decoder throws, whatever it is given", () => {
  const name = fc.constantFrom(
    "metadata",
    "spec",
    "status",
    "name",
    "namespace",
    "cidrs",
    "endpoints",
    "members",
    "data",
    "addresses",
    "labels",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: "small" }, fc.jsonValue(), fc.dictionary(name, tie("tree"), { maxKeys: 4 })),
  }));
  const parsers = [parseNode, parseCommunity, parseCluster, parseIpamBlock, parseConfigMap, parseSecret];
  fc.assert(
    fc.property(tree, (json) => {
      for (const parse of parsers) {
        parse(json);
        parse({ metadata: { namespace: "n", name: "x" }, spec: json, status: json, data: json });
      }
    }),
  );
});
