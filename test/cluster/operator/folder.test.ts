import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../lab/wait-for.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import { installCrds, NAMESPACE, RunningOperator } from "../../support/operator-world.ts";

const PROGRAM = join(import.meta.dir, "../../../cloud/main.ts");
const [MANIFESTS, STATE] = ["/run/manifests", "/run/state"];
const HUB = "http://127.0.0.1:8880";
const FABEDGE = "fabedge.io/v1alpha1";

interface Json {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: object;
  readonly data?: Readonly<Record<string, string>>;
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly [field: string]: unknown }[];
    readonly [field: string]: unknown;
  };
}

function node(
  name: string,
  n: number,
  over: { readonly annotations?: object; readonly address?: string; readonly edge?: boolean } = {},
) {
  const { annotations = {}, address = `192.168.9.${n}`, edge = true } = over;
  const labels = edge ? { "node-role.kubernetes.io/edge": "" } : {};
  const addresses = address === "" ? [] : [{ type: "InternalIP", address }];
  const podCIDR = `10.1.${n}.0/24`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels, annotations },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: { addresses },
  };
}

function community(name: string, members: readonly string[]) {
  return { apiVersion: FABEDGE, kind: "Community", metadata: { name }, spec: { members } };
}

const EXPORTED = { "fabedge.io/global-service": "true" };

function service(name: string, spec: object) {
  const ports = [{ name: "http", protocol: "TCP", port: 80 }];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default", labels: EXPORTED },
    spec: { ...spec, ports },
  };
}

/** Everything that can be right or wrong, without anything that an age decides. */
const OBJECTS = [
  node("cloud1", 100, { edge: false }),
  node("cloud2", 101, { edge: false }),
  node("e1", 1, { annotations: { "fabedge.io/node-public-addresses": "203.0.113.1,edge.example" } }),
  node("e2", 2, { annotations: { "argument.fabedge.io/enable-dns": "true", "argument.fabedge.io/debounce": "soon" } }),
  node("e3", 3, { address: "" }),
  node("e4", 4),
  {
    apiVersion: FABEDGE,
    kind: "Cluster",
    metadata: { name: "beijing" },
    spec: {
      token: "secret",
      cidrs: ["10.2.0.0/16"],
      endPoints: [
        {
          id: "C=CN, O=fabedge.io, CN=beijing.connector",
          name: "beijing.connector",
          publicAddresses: ["203.0.113.9"],
          subnets: ["10.2.0.0/16"],
          nodeSubnets: ["10.20.0.4"],
          type: "Connector",
        },
      ],
    },
  },
  community("line", ["paris.e1", "paris.e2", "paris.e3"]),
  community("clusters", ["paris.connector", "beijing.connector"]),
  community("nobody", ["paris.nowhere", "paris.none"]),
  service("web", { clusterIP: "10.96.0.80" }),
  service("pods", { clusterIP: "None" }),
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "pods-1",
      namespace: "default",
      labels: { ...EXPORTED, "kubernetes.io/service-name": "pods" },
    },
    addressType: "IPv4",
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    endpoints: [
      { addresses: ["10.1.1.7"], hostname: "web-1", conditions: { ready: true } },
      { addresses: ["10.1.1.8"], hostname: "web-2", conditions: { ready: false } },
    ],
  },
];

inCluster(import.meta.path, () => {
  let operator: RunningOperator;
  let hub: Bun.Subprocess<"ignore", "ignore", "inherit">;

  beforeAll(async () => {
    await installCrds();
    mkdirSync(MANIFESTS);
    for (const object of OBJECTS) {
      writeFileSync(`${MANIFESTS}/${object.kind}-${object.metadata.name}.json`, JSON.stringify(object));
      const { status, ...rest } = object as typeof object & { readonly status?: object };
      await applyObject(rest);
      if (status === undefined) continue;
      const patch = `--patch=${JSON.stringify({ status })}`;
      kubectl("patch", "node", object.metadata.name, "--subresource=status", "--type=merge", patch);
    }
    const settings = ["--cluster-cidr=10.1.0.0/16", "--connector-subnets=10.96.0.0/16"];
    const connector = ["--connector-public-addresses=198.51.100.1", `--state-dir=${STATE}`];
    hub = Bun.spawn(
      [process.execPath, PROGRAM, "hub", "--manifests", MANIFESTS, "--cluster=paris", ...settings, ...connector],
      {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      },
    );
    operator = await RunningOperator.start("a");
    await operator.settled();
    await waitFor("the hub", async () => (await fetch(`${HUB}/readyz`).catch(() => undefined))?.ok);
  });
  afterAll(async () => {
    hub?.kill();
    await operator?.close();
  });

  const byName = (items: readonly Json[]) => items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const ofCluster = (plural: string, ...words: readonly string[]) =>
    byName(
      (JSON.parse(kubectl("get", plural, "--output=json", ...words)) as { readonly items: readonly Json[] }).items,
    );
  async function ofHub(path: string): Promise<readonly Json[]> {
    return byName(((await (await fetch(HUB + path)).json()) as { readonly items: readonly Json[] }).items);
  }
  const ours = (plural: string) => ofCluster(plural, `-n${NAMESPACE}`, "-lfabedge.io/created-by=fabedge-operator");

  function namesIn(secret: Json): string {
    const pem = Buffer.from(secret.data?.["tls.crt"] ?? "", "base64");
    const words = ["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName,extendedKeyUsage,basicConstraints"];
    return Bun.spawnSync(words, { stdin: pem }).stdout.toString();
  }

  describe("a folder of manifests gives what the same objects of a cluster give", () => {
    test("ConfigMaps, to the letter", async () => {
      const seen = ({ metadata, data }: Json) => ({ name: metadata.name, labels: metadata.labels, data });
      const wanted = ours("configmaps").map(seen);
      expect(wanted.map(({ name }) => name)).toEqual([
        "connector-config",
        ...["e1", "e2", "e4"].map((n) => `fabedge-agent-config-${n}`),
      ]);
      expect((await ofHub(`/api/v1/namespaces/${NAMESPACE}/configmaps`)).map(seen)).toEqual(wanted);
    });

    test("Secrets of the same nodes, whose certificates have the same names and uses", async () => {
      const seen = (secret: Json) => ({
        name: secret.metadata.name,
        labels: secret.metadata.labels,
        keys: Object.keys(secret.data ?? {}).sort(),
        names: namesIn(secret),
      });
      const wanted = ours("secrets").map(seen);
      expect(wanted.map(({ name }) => name)).toEqual([
        "connector-tls",
        ...["e1", "e2", "e4"].map((n) => `fabedge-agent-tls-${n}`),
      ]);
      expect(wanted[1]?.names).toContain("DNS:paris.e1");
      expect((await ofHub(`/api/v1/namespaces/${NAMESPACE}/secrets`)).map(seen)).toEqual(wanted);
    });

    test("what is said of Communities and Nodes", async () => {
      const said = (kind: string) => (object: Json) => {
        const { conditions = [], members, memberCount, readyCount } = object.status ?? {};
        return {
          name: object.metadata.name,
          ...{ members, memberCount, readyCount },
          conditions: conditions
            .filter(({ type }) => type === (kind === "Node" ? "SelvedgeReady" : "Ready"))
            .map(({ status, reason, message }) => ({ status, reason, message })),
        };
      };
      const communities = ofCluster("communities").map(said("Community"));
      expect(communities.map(({ readyCount }) => readyCount)).toEqual([2, 2, 0]);
      expect((await ofHub("/apis/fabedge.io/v1alpha1/communities")).map(said("Community"))).toEqual(communities);
      const nodes = ofCluster("nodes").map(said("Node"));
      expect(nodes.map(({ conditions }) => conditions[0]?.reason)).toEqual([
        undefined,
        undefined,
        undefined,
        "ArgumentMalformed",
        "InternalIpMissing",
        undefined,
      ]);
      expect((await ofHub("/api/v1/nodes")).map(said("Node"))).toEqual(nodes);
    });

    test("GlobalServices", async () => {
      const seen = ({ metadata: { name }, spec }: Json) => ({ name, spec });
      await waitFor("both", () => ofCluster("globalservices", "-ndefault").length === 2);
      const wanted = ofCluster("globalservices", "-ndefault").map(seen);
      const place = { cluster: "paris", zone: "default", region: "default" };
      expect(wanted.map(({ spec }) => (spec as { readonly endpoints: unknown }).endpoints)).toEqual([
        [{ addresses: ["10.1.1.7"], hostname: "web-1", ...place }],
        [{ addresses: ["10.96.0.80"], ...place }],
      ]);
      expect((await ofHub("/apis/dns.fabedge.io/v1alpha1/globalservices")).map(seen)).toEqual(wanted);
    });

    test("the cluster's own Cluster object", async () => {
      const spec = (items: readonly Json[]) => items.find(({ metadata }) => metadata.name === "paris")?.spec;
      const wanted = spec(ofCluster("clusters.fabedge.io"));
      expect(wanted).toMatchObject({ cidrs: ["10.1.0.0/16", "10.96.0.0/16"] });
      expect(spec(await ofHub("/apis/fabedge.io/v1alpha1/clusters"))).toEqual(wanted);
    });
  });
});
