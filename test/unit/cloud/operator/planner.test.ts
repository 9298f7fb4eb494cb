import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { OperatorChange } from "../../../../cloud/operator/change.ts";
import type { AgentPod } from "../../../../cloud/operator/observed-documents.ts";
import { PEER_SHARD_COUNT, WHOLE_PEERS_LIMIT } from "../../../../cloud/operator/peer-shards.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { ipFromBytes } from "../../../../src/base/ip.ts";
import { parseNodeConfig } from "../../../../src/kube/objects/node-config.ts";
import { ip, prefix } from "../../../support/network-objects.ts";
import {
  cloudNode,
  community,
  edgeNode,
  gone,
  ipamBlock,
  makeCalicoSettings,
  makeConnector,
  makeOperatorSettings,
  remoteCluster,
} from "../../../support/operator-objects.ts";

const FLANNEL = makeOperatorSettings();
/** Three parts, so that the pool is exhausted now and then. */
const CALICO = makeCalicoSettings({ edgePools: [{ cidr: prefix("10.1.0.0/22"), blockLength: 24 }] });
const HOST = makeOperatorSettings({ agent: { ...FLANNEL.agent, mode: "host" } });

type Picture = ReadonlyMap<string, string>;

/** Everything that the plan says. */
function picture(planner: OperatorPlanner): Picture {
  const documents = [...planner.keys()].map((key) => [key, JSON.stringify(planner.document(key))] as const);
  return new Map(documents.toSorted());
}

function differences(before: Picture, after: Picture): readonly string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key));
}

/** What remains of a history, in some order. */
function present(history: readonly OperatorChange[]): OperatorChange[] {
  const last = new Map(history.map((change) => [`${change.kind}/${change.key}`, change]));
  return [...last.values()].filter((change) => change.value !== undefined);
}

/** Writes the annotations that the plan wants, as the reconciler does, and tells the plan of it. */
function writeAnnotations(planner: OperatorPlanner, history: OperatorChange[]): void {
  for (const key of [...planner.keys()].filter((k) => k.startsWith("NodeAnnotations/"))) {
    const desired = planner.document(key);
    if (desired.state !== "present" || desired.object.kind !== "NodeAnnotations") continue;
    const { name, annotations } = desired.object;
    const node = history.findLast((change) => change.kind === "Node" && change.key === name);
    if (node?.kind !== "Node" || node.value === undefined) throw new Error(`${name} is not there`);
    const written: OperatorChange = {
      ...node,
      value: { ...node.value, annotations: { ...node.value.annotations, ...annotations } },
    };
    history.push(written);
    planner.apply([written]);
  }
}

const cidr = fc.constantFrom("10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/23", "10.96.3.0/24", "fd00:7::/64");
const created = fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
const node = fc
  .record({
    name: fc.constantFrom("e1", "e2", "e3", "e4", "connector"),
    edge: fc.boolean(),
    mode: fc.constantFrom("", "host", "pod", "bad"),
    ip: fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1"),
    addressed: fc.boolean(),
    cidrs: fc.uniqueArray(cidr, { maxLength: 2 }),
    subnets: fc.constantFrom(undefined, "10.1.0.0/24", "10.1.1.0/24", "10.1.0.0/25", "8.0.0.0/8", "nonsense"),
    addresses: fc.constantFrom(undefined, "203.0.113.9", "203.0.113.9, not an address"),
    level: fc.constantFrom(undefined, "5"),
    created,
  })
  .map((n) => {
    const annotations = Object.fromEntries(
      [
        ["fabedge.io/subnets", n.subnets],
        ["fabedge.io/node-public-addresses", n.addresses],
        ["argument.fabedge.io/log-level", n.level],
      ].filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const make = n.edge ? edgeNode : cloudNode;
    const labels: Record<string, string> = n.mode === "" ? {} : { "selvedge.io/agent-mode": n.mode };
    const address = n.addressed ? { ip: n.ip } : {};
    return make(n.name, { annotations, labels, cidrs: n.cidrs, created: n.created, ...address });
  });
const member = fc.constantFrom(
  "paris.e1",
  "paris.e2",
  "paris.e3",
  "paris.e4",
  "paris.connector",
  "lyon.connector",
  "nice.connector",
  "e1",
  "nobody",
);
const object: fc.Arbitrary<OperatorChange> = fc.oneof(
  { arbitrary: node, weight: 4 },
  fc.tuple(fc.constantFrom("c1", "c2", "host/c1"), fc.array(member, { maxLength: 6 })).map(([n, m]) => community(n, m)),
  fc
    .tuple(fc.constantFrom("lyon", "nice", "paris"), fc.array(cidr, { maxLength: 2 }), created)
    .map(([name, cidrs, time]) =>
      remoteCluster(name, {
        created: time,
        cidrs: cidrs.map(prefix),
        endpoints: [makeConnector(name, { subnets: [...cidrs, "10.2.0.0/24"].map(prefix) })],
      }),
    ),
  fc
    .tuple(fc.constantFrom("10.1.1.0/26", "10.233.64.0/26"), fc.constantFrom("e1", "e4", undefined), created)
    .map(([block, host, time]) => ipamBlock(block, host, time)),
);
const change = fc.oneof({ arbitrary: object, weight: 4 }, object.map(gone));
const history = fc.array(change, { maxLength: 25 });
const settings = fc.constantFrom<OperatorSettings>(FLANNEL, CALICO, HOST);

describe("the plan", () => {
  test("after any history it is the plan of what is there now, whatever came when", () => {
    fc.assert(
      fc.property(settings, history, fc.infiniteStream(fc.nat()), (chosen, changes, random) => {
        const planner = new OperatorPlanner(chosen, []);
        const all: OperatorChange[] = [];
        for (const one of changes) {
          all.push(one);
          planner.apply([one]);
          writeAnnotations(planner, all);
        }
        const shuffled = present(all)
          .map((one) => [random.next().value, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one);
        const fresh = new OperatorPlanner(chosen, shuffled);
        expect(picture(planner)).toEqual(picture(fresh));
        for (const { kind, key } of all) {
          if (kind === "IPAMBlock") continue;
          expect(planner.problems(`${kind}/${key}`)).toEqual(fresh.problems(`${kind}/${key}`));
        }
      }),
    );
  });

  test("a change names every document that it changes, and every object whose problems it changes", () => {
    fc.assert(
      fc.property(settings, history, (chosen, changes) => {
        const planner = new OperatorPlanner(chosen, []);
        const subjects = changes.filter((c) => c.kind !== "IPAMBlock").map((c) => `${c.kind}/${c.key}` as const);
        const problems = () => new Map(subjects.map((subject) => [subject, JSON.stringify(planner.problems(subject))]));
        for (const one of changes) {
          const [before, wrongBefore] = [picture(planner), problems()];
          const delta = planner.apply([one]);
          const [after, wrong] = [picture(planner), problems()];
          for (const key of differences(before, after)) expect([...delta.documents]).toContain(key);
          for (const [subject, text] of wrong) {
            if (text !== wrongBefore.get(subject)) expect([...delta.subjects]).toContain(subject);
          }
        }
      }),
    );
  });

  test("saying the same again changes nothing", () => {
    fc.assert(
      fc.property(settings, history, (chosen, changes) => {
        const objects = present(changes);
        const planner = new OperatorPlanner(chosen, objects);
        const before = picture(planner);
        planner.apply(objects);
        expect(differences(before, picture(planner))).toEqual([]);
      }),
    );
  });

  test("whoever has a peer is its peer, and no two nodes have overlapping subnets", () => {
    fc.assert(
      fc.property(settings, history, (chosen, changes) => {
        const planner = new OperatorPlanner(chosen, present(changes));
        const peers = new Map<string, readonly string[]>();
        for (const name of ["e1", "e2", "e3", "e4"]) {
          const config = readConfig(planner, `fabedge-agent-config-${name}`);
          if (config !== undefined) peers.set(config.name, config.peers?.map((peer) => peer.name) ?? []);
        }
        const connector = readConfig(planner, "connector-config");
        peers.set("paris.connector", connector?.peers?.map((peer) => peer.name) ?? []);
        for (const [name, names] of peers) {
          expect(names).not.toContain(name);
          expect(new Set(names).size).toBe(names.length);
          for (const peer of names) if (peers.has(peer)) expect(peers.get(peer)).toContain(name);
        }
        const all = connector?.peers?.flatMap((peer) => peer.subnets ?? []) ?? [];
        for (const one of all) {
          const overlapping = all.filter((other) => touches(one, other));
          expect(overlapping).toEqual([one]);
        }
      }),
    );
  });
});

interface ConfigText {
  readonly name: string;
  readonly subnets?: readonly string[];
  readonly peers?: readonly ConfigText[];
  readonly peerShards?: number;
}

function readConfig(planner: OperatorPlanner, name: string): ConfigText | undefined {
  const desired = planner.document(`ConfigMap/fabedge/${name}`);
  if (desired.state !== "present" || desired.object.kind !== "ConfigMap") return undefined;
  return Bun.YAML.parse(desired.object.data["tunnels.yaml"] ?? "") as ConfigText;
}

/** By text, of IPv4 prefixes with whole or half bytes as they occur here. */
function touches(a: string, b: string): boolean {
  const bits = (text: string) => {
    const [address = "", length = "0"] = text.split("/");
    const all = address.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0"));
    return address.includes(":") ? address : all.join("").slice(0, Number(length));
  };
  return bits(a).startsWith(bits(b)) || bits(b).startsWith(bits(a));
}

function address(a: number, i: number): string {
  return ipFromBytes(Uint8Array.of(a, i >> 8, i & 255, 0));
}

function manyEdges(from: number, to: number): readonly OperatorChange[] {
  return Array.from({ length: to - from }, (_, n) => {
    const i = from + n;
    return edgeNode(`n${i}`, { ip: address(192, i), cidrs: [`${address(10, i)}/24`] });
  });
}

describe("edge nodes with one address", () => {
  const SHARED = ip("192.168.1.10");
  const nodes = ["e1", "e2"].map((name, i) => edgeNode(name, { ip: SHARED, cidrs: [`10.1.${i}.0/24`] }));
  const addressOf = (planner: OperatorPlanner, node: string) => {
    const desired = planner.document(`ConfigMap/fabedge/fabedge-agent-config-${node}`);
    if (desired.state !== "present" || desired.object.kind !== "ConfigMap") throw new Error(`${node} has none`);
    const config = parseNodeConfig(desired.object.data["tunnels.yaml"] ?? "");
    if (!config.ok) throw new Error(config.error.why);
    return config.value.endpoint.nodeSubnets;
  };
  const foreign: AgentPod = { node: "e7", hash: undefined, ready: false, terminating: false, ended: false };

  test("leave it to the first of them, in all documents", () => {
    const planner = new OperatorPlanner(FLANNEL, [...nodes, community("home", ["paris.e1", "paris.e2"])]);
    expect([addressOf(planner, "e1"), addressOf(planner, "e2")]).toEqual([[SHARED], []]);
    const { documents } = planner.apply([gone(edgeNode("e1"))]);
    expect(documents).toContain("ConfigMap/fabedge/connector-config");
    expect(addressOf(planner, "e2")).toEqual([SHARED]);
  });

  test("all keep it while an agent of FabEdge's is left, which would not reach the pods of one without", () => {
    const planner = new OperatorPlanner(FLANNEL, nodes);
    planner.apply([{ kind: "AgentPod", key: "fabedge/agent-x", value: foreign }]);
    expect([addressOf(planner, "e1"), addressOf(planner, "e2")]).toEqual([[SHARED], [SHARED]]);
    planner.apply([{ kind: "AgentPod", key: "fabedge/agent-x", value: undefined }]);
    expect([addressOf(planner, "e1"), addressOf(planner, "e2")]).toEqual([[SHARED], []]);
  });
});

describe("one change touches what depends on it", () => {
  const objects = [
    cloudNode("c1", { ip: "10.0.0.1", cidrs: ["10.250.0.0/24"] }),
    ...manyEdges(0, 20),
    community("one", ["paris.n1", "paris.n2", "paris.n3"]),
    community("two", ["paris.n3", "paris.n4"]),
  ];
  const configs = (delta: { readonly documents: ReadonlySet<string> }) =>
    [...delta.documents]
      .filter((key) => key.startsWith("ConfigMap/"))
      .map((key) => key.split("/")[2] ?? "")
      .sort();

  test("a node's address: itself, its peers, the connector", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    const delta = planner.apply([edgeNode("n3", { ip: "198.18.0.1", cidrs: [`${address(10, 3)}/24`] })]);
    expect(configs(delta)).toEqual([
      "connector-config",
      "fabedge-agent-config-n1",
      "fabedge-agent-config-n2",
      "fabedge-agent-config-n3",
      "fabedge-agent-config-n4",
    ]);
    expect([...delta.subjects].sort()).toEqual(["Community/one", "Community/two", "Node/n3"]);
  });

  test("a community's members: those who come, go and stay", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    expect(configs(planner.apply([community("one", ["paris.n2", "paris.n9"])]))).toEqual([
      "fabedge-agent-config-n1",
      "fabedge-agent-config-n2",
      "fabedge-agent-config-n3",
      "fabedge-agent-config-n9",
    ]);
  });

  test("a node's arguments: its own documents", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    const before = picture(planner);
    const annotations = { "argument.fabedge.io/log-level": "5" };
    const delta = planner.apply([
      edgeNode("n3", { ip: address(192, 3), cidrs: [`${address(10, 3)}/24`], annotations }),
    ]);
    expect(configs(delta)).toEqual(["fabedge-agent-config-n3"]);
    expect(differences(before, picture(planner))).toEqual(["Pod/fabedge/n3"]);
  });

  test("a node of the cloud: every edge node, since all have the connector as a peer", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    const delta = planner.apply([cloudNode("c2", { ip: "10.0.0.2", cidrs: ["10.250.1.0/24"] })]);
    expect(configs(delta)).toHaveLength(21);
    expect(delta.documents).toContain("Cluster/paris");
  });

  test("the last edge label that goes takes the node's documents along", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    const delta = planner.apply([gone(edgeNode("n3"))]);
    for (const key of [
      "ConfigMap/fabedge/fabedge-agent-config-n3",
      "Secret/fabedge/fabedge-agent-tls-n3",
      "Pod/fabedge/n3",
    ]) {
      expect(delta.documents).toContain(key);
      expect(planner.document(key)).toEqual({ state: "absent" });
      expect([...planner.keys()]).not.toContain(key);
    }
  });

  test("a node that cannot be an endpoint keeps what it has, and the others go on without it", () => {
    const planner = new OperatorPlanner(FLANNEL, objects);
    planner.apply([edgeNode("n3", { cidrs: [`${address(10, 3)}/24`] })]);
    for (const key of [
      "ConfigMap/fabedge/fabedge-agent-config-n3",
      "Secret/fabedge/fabedge-agent-tls-n3",
      "Pod/fabedge/n3",
    ]) {
      expect(planner.document(key)).toMatchObject({ state: "held", problems: [{ code: "INTERNAL_IP_MISSING" }] });
    }
    expect(readConfig(planner, "fabedge-agent-config-n1")?.peers?.map((peer) => peer.name)).toEqual([
      "paris.connector",
      "paris.n2",
    ]);
    expect(planner.community("two")?.members).toEqual([
      { name: "paris.n3", state: "NotReady" },
      { name: "paris.n4", state: "Ready" },
    ]);
  });
});

describe("more edge nodes than one ConfigMap holds", () => {
  const SHARDS = [...Array(PEER_SHARD_COUNT).keys()].map((i) => `connector-config-${String(i).padStart(2, "0")}`);
  const names = (planner: OperatorPlanner, config: string) =>
    readConfig(planner, config)?.peers?.map((peer) => peer.name) ?? [];

  test("up to the limit the connector's peers are in one document, beyond it in several that hold each once", () => {
    const planner = new OperatorPlanner(FLANNEL, manyEdges(0, WHOLE_PEERS_LIMIT));
    expect(names(planner, "connector-config")).toHaveLength(WHOLE_PEERS_LIMIT);
    expect(planner.document("ConfigMap/fabedge/connector-config-00")).toEqual({ state: "absent" });
    const delta = planner.apply(manyEdges(WHOLE_PEERS_LIMIT, WHOLE_PEERS_LIMIT + 1));
    for (const name of SHARDS) expect(delta.documents).toContain(`ConfigMap/fabedge/${name}`);
    expect(readConfig(planner, "connector-config")).toMatchObject({ peers: [], peerShards: PEER_SHARD_COUNT });
    // Whoever needs the whole watches what bears its name, and not the configurations of all nodes.
    for (const name of ["connector-config", "connector-config-31"]) {
      expect(planner.document(`ConfigMap/fabedge/${name}`)).toMatchObject({
        object: { labels: { "fabedge.io/name": "connector-config" } },
      });
    }
    const spread = SHARDS.flatMap((name) => names(planner, name));
    expect(spread).toHaveLength(WHOLE_PEERS_LIMIT + 1);
    expect(new Set(spread).size).toBe(WHOLE_PEERS_LIMIT + 1);

    const back = planner.apply(manyEdges(WHOLE_PEERS_LIMIT, WHOLE_PEERS_LIMIT + 1).map(gone));
    for (const name of SHARDS) {
      expect(back.documents).toContain(`ConfigMap/fabedge/${name}`);
      expect(planner.document(`ConfigMap/fabedge/${name}`)).toEqual({ state: "absent" });
    }
    expect(names(planner, "connector-config")).toHaveLength(WHOLE_PEERS_LIMIT);
  });

  test("then a change of one concerns one of them", () => {
    const planner = new OperatorPlanner(FLANNEL, manyEdges(0, WHOLE_PEERS_LIMIT + 100));
    const delta = planner.apply([edgeNode("n7", { ip: "198.18.0.1", cidrs: [`${address(10, 7)}/24`] })]);
    const configs = [...delta.documents].filter((key) => key.startsWith("ConfigMap/"));
    expect(configs).toHaveLength(2);
    expect(configs.filter((key) => /connector-config-\d\d$/.test(key))).toHaveLength(1);
  });

  test("a document that no ConfigMap holds is not written, and said so", () => {
    const long = Array.from(
      { length: 8 },
      (_, i) => `${"x".repeat(60)}.${"y".repeat(60)}.${"z".repeat(60)}.host${i}`,
    ).join(",");
    const edges = manyEdges(0, 900).map((edge): OperatorChange => {
      if (edge.kind !== "Node" || edge.value === undefined) throw new Error("not a node");
      const annotations = { "fabedge.io/node-public-addresses": long };
      return { ...edge, value: { ...edge.value, annotations } };
    });
    const planner = new OperatorPlanner(FLANNEL, edges);
    expect(planner.document("ConfigMap/fabedge/connector-config")).toMatchObject({
      state: "held",
      problems: [{ code: "DOCUMENT_TOO_LARGE" }],
    });
  });
});
