import { describe, expect, test } from "bun:test";
import type { OperatorChange } from "../../../../cloud/operator/change.ts";
import type { DesiredObject } from "../../../../cloud/operator/document.ts";
import { planManifest } from "../../../../cloud/operator/manifest-plan.ts";
import { observedKinds } from "../../../../cloud/operator/observed-kinds.ts";
import { OperatorPlanner } from "../../../../cloud/operator/planner.ts";
import type { OperatorSettings } from "../../../../cloud/operator/settings.ts";
import { prefix } from "../../../support/network-objects.ts";
import { makeCalicoSettings, makeOperatorSettings } from "../../../support/operator-objects.ts";

/** FabEdge's formats by example: what an administrator writes, and by hand what has to come of it. */
const NODES = `
apiVersion: v1
kind: Node
metadata:
  name: e1
  uid: 7b0c
  labels: {node-role.kubernetes.io/edge: "", kubernetes.io/arch: arm64}
  annotations:
    fabedge.io/subnets: "10.1.7.0/24"
    fabedge.io/node-public-addresses: "203.0.113.7,e1.example.org"
    argument.fabedge.io/log-level: "5"
    argument.fabedge.io/auto-networking: "true"
    argument.fabedge.io/multicast-token: "example"
    node.alpha.kubernetes.io/ttl: "0"
spec: {podCIDR: 10.1.7.0/24, podCIDRs: [10.1.7.0/24]}
status: {addresses: [{type: InternalIP, address: 192.168.9.7}, {type: Hostname, address: e1}]}
---
apiVersion: v1
kind: Node
metadata: {name: e2, uid: 7b0d, labels: {node-role.kubernetes.io/edge: ""}}
spec: {podCIDR: 10.1.8.0/24, podCIDRs: [10.1.8.0/24]}
status: {addresses: [{type: InternalIP, address: 192.168.9.8}]}
---
apiVersion: v1
kind: Node
metadata: {name: cloud-2, uid: 7b0f}
spec: {podCIDR: 10.1.1.0/24, podCIDRs: [10.1.1.0/24]}
status: {addresses: [{type: InternalIP, address: 10.0.0.2}]}
---
apiVersion: v1
kind: Node
metadata: {name: cloud-1, uid: 7b0e}
spec: {podCIDR: 10.1.0.0/24, podCIDRs: [10.1.0.0/24]}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
`;

const COMMUNITIES = `
apiVersion: fabedge.io/v1alpha1
kind: Community
metadata: {name: line-3}
spec: {members: [paris.e1, paris.e2]}
---
apiVersion: fabedge.io/v1alpha1
kind: Community
metadata: {name: clouds}
spec: {members: [paris.connector, lyon.connector]}
`;

const LYON = `
apiVersion: fabedge.io/v1alpha1
kind: Cluster
metadata: {name: lyon}
spec:
  token: header.payload.signature
  cidrs: [10.2.0.0/16, 10.97.0.0/16]
  endpoints:
    - id: C=CN, O=fabedge.io, CN=lyon.connector
      name: lyon.connector
      publicAddresses: [198.51.100.9]
      subnets: [10.97.0.0/16, 10.2.0.0/24]
      nodeSubnets: [10.20.0.4]
      type: Connector
`;

const E1_TUNNELS = `
id: C=CN, O=fabedge.io, CN=paris.e1
name: paris.e1
publicAddresses: [203.0.113.7, e1.example.org]
subnets: [10.1.7.0/24]
nodeSubnets: [192.168.9.7]
type: EdgeNode
peers:
  - {id: "C=CN, O=fabedge.io, CN=paris.connector", name: paris.connector, publicAddresses: [198.51.100.1],
     subnets: [10.96.0.0/16, 10.1.0.0/24, 10.1.1.0/24], nodeSubnets: [10.0.0.1, 10.0.0.2], type: Connector, port: 45000}
  - {id: "C=CN, O=fabedge.io, CN=paris.e2", name: paris.e2, publicAddresses: [192.168.9.8], subnets: [10.1.8.0/24],
     nodeSubnets: [192.168.9.8], type: EdgeNode}
mediator: {id: "C=CN, O=fabedge.io, CN=paris.connector", name: mediator, publicAddresses: [198.51.100.1],
           port: 45000}
`;

const CONNECTOR_TUNNELS = `
id: C=CN, O=fabedge.io, CN=paris.connector
name: paris.connector
publicAddresses: [198.51.100.1]
subnets: [10.96.0.0/16, 10.1.0.0/24, 10.1.1.0/24]
nodeSubnets: [10.0.0.1, 10.0.0.2]
type: Connector
port: 45000
peers:
  - {id: "C=CN, O=fabedge.io, CN=lyon.connector", name: lyon.connector, publicAddresses: [198.51.100.9],
     subnets: [10.97.0.0/16, 10.2.0.0/24], nodeSubnets: [10.20.0.4], type: Connector}
  - {id: "C=CN, O=fabedge.io, CN=paris.e1", name: paris.e1, publicAddresses: [203.0.113.7, e1.example.org],
     subnets: [10.1.7.0/24], nodeSubnets: [192.168.9.7], type: EdgeNode}
  - {id: "C=CN, O=fabedge.io, CN=paris.e2", name: paris.e2, publicAddresses: [192.168.9.8], subnets: [10.1.8.0/24],
     nodeSubnets: [192.168.9.8], type: EdgeNode}
`;

const SETTINGS = makeOperatorSettings({
  connector: { ...makeOperatorSettings().connector, publicPort: 45000, mediator: true },
  agent: { ...makeOperatorSettings().agent, arguments: { "log-level": "3", "masq-outgoing": "true" } },
});

function read(text: string, settings: OperatorSettings): readonly OperatorChange[] {
  const kinds = observedKinds(settings);
  return text.split("---\n").map((document) => {
    const json = Bun.YAML.parse(document) as { readonly kind: keyof typeof kinds };
    const object = kinds[json.kind].decode(json);
    if (!object.ok) throw new Error(`${json.kind}: ${object.error.at} ${object.error.why}`);
    return { kind: json.kind, key: object.value?.name, value: object.value } as OperatorChange;
  });
}

function plan(texts: readonly string[], settings = SETTINGS): OperatorPlanner {
  return new OperatorPlanner(
    settings,
    texts.flatMap((text) => read(text, settings)),
  );
}

function objectOf<K extends DesiredObject["kind"]>(planner: OperatorPlanner, kind: K, key: string) {
  const desired = planner.document(`${kind}/${key}`);
  if (desired.state !== "present") throw new Error(`${kind}/${key} is ${desired.state}`);
  return desired.object as Extract<DesiredObject, { readonly kind: K }>;
}

function tunnels(planner: OperatorPlanner, name: string, file = "tunnels.yaml"): unknown {
  return Bun.YAML.parse(objectOf(planner, "ConfigMap", `fabedge/${name}`).data[file] ?? "");
}

const ALL = plan([NODES, COMMUNITIES, LYON]);

describe("FabEdge's samples", () => {
  test("an edge node knows itself, the connector first, and who is in its communities", () => {
    expect(tunnels(ALL, "fabedge-agent-config-e1")).toEqual(Bun.YAML.parse(E1_TUNNELS));
  });

  test("the ConfigMap is the Node's, and goes with it", () => {
    const { metadata } = planManifest(objectOf(ALL, "ConfigMap", "fabedge/fabedge-agent-config-e1")).manifest;
    expect(metadata).toMatchObject({
      namespace: "fabedge",
      name: "fabedge-agent-config-e1",
      labels: { "fabedge.io/created-by": "fabedge-operator" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "e1", uid: "7b0c", controller: true }],
    });
  });

  test("an edge node that no community names talks to the connector alone", () => {
    const { peers } = tunnels(plan([NODES]), "fabedge-agent-config-e2") as {
      readonly peers: readonly { name: string }[];
    };
    expect(peers.map((peer) => peer.name)).toEqual(["paris.connector"]);
  });

  test("the connector knows all edge nodes, and the connectors of its communities", () => {
    const { mediator, ...rest } = tunnels(ALL, "connector-config") as Record<string, unknown>;
    expect(rest).toEqual(Bun.YAML.parse(CONNECTOR_TUNNELS) as Record<string, unknown>);
    expect(mediator).toMatchObject({ name: "mediator", port: 45000 });
  });

  test("a certificate names the endpoint, as subject and as DNS name, and the node's addresses", () => {
    expect(objectOf(ALL, "Secret", "fabedge/fabedge-agent-tls-e1")).toMatchObject({
      name: "fabedge-agent-tls-e1",
      labels: { "fabedge.io/node": "e1", "fabedge.io/created-by": "fabedge-operator" },
      organization: "fabedge.io",
      commonName: "paris.e1",
      dnsNames: ["paris.e1"],
      ips: ["192.168.9.7"],
      owner: { name: "e1", uid: "7b0c" },
    });
    expect(objectOf(ALL, "Secret", "fabedge/connector-tls")).toMatchObject({
      commonName: "paris.connector",
      dnsNames: [],
      ips: [],
      owner: undefined,
    });
  });

  test("the agent's pod has the host's network, every toleration, no account, and its arguments in order", () => {
    const pod = objectOf(ALL, "Pod", "fabedge/e1");
    expect(pod.generateName).toBe("fabedge-agent-");
    expect(pod.labels).toEqual({
      "app.kubernetes.io/managed-by": "selvedge-operator",
      "fabedge.io/app": "fabedge-agent",
      "fabedge.io/created-by": "fabedge-operator",
      "fabedge.io/name": "fabedge-agent-e1",
      "fabedge.io/pod-spec-hash": expect.stringMatching(/^[0-9a-f]{8}$/),
    });
    expect(pod.spec).toMatchObject({
      nodeName: "e1",
      hostNetwork: true,
      restartPolicy: "Always",
      automountServiceAccountToken: false,
      tolerations: [{ operator: "Exists" }],
    });
    expect(pod.spec.containers.map((container) => container.name)).toEqual(["agent", "strongswan"]);
    expect(pod.spec.containers[0]?.args).toEqual([
      "run",
      "--node-name=e1",
      "--auto-networking=true",
      "--local-cert=tls.crt",
      "--masq-outgoing=true",
      "--multicast-token=example",
      "--proxy-cluster-cidr=10.1.0.0/16",
      "--tunnels-conf=/etc/fabedge/tunnels.yaml",
      "--log-level=5",
    ]);
  });

  test("a host installs nothing from a pod: its arguments are in its ConfigMap", () => {
    const host = plan([NODES.replace("kubernetes.io/arch: arm64", "selvedge.io/agent-mode: host"), COMMUNITIES, LYON]);
    expect(host.document("Pod/fabedge/e1")).toEqual({ state: "absent" });
    expect(host.document("Pod/fabedge/e2").state).toBe("present");
    expect(tunnels(host, "fabedge-agent-config-e1", "config.yaml")).toEqual({
      "auto-networking": "true",
      "log-level": "5",
      "masq-outgoing": "true",
      "multicast-token": "example",
      "proxy-cluster-cidr": "10.1.0.0/16",
    });
  });

  test("this cluster says of itself what others need to reach it", () => {
    expect(planManifest(objectOf(ALL, "Cluster", "paris")).manifest).toEqual({
      metadata: { name: "paris" },
      spec: {
        cidrs: ["10.1.0.0/16", "10.96.0.0/16"],
        endpoints: [
          {
            id: "C=CN, O=fabedge.io, CN=paris.connector",
            name: "paris.connector",
            publicAddresses: ["198.51.100.1"],
            subnets: ["10.96.0.0/16", "10.1.0.0/24", "10.1.1.0/24"],
            nodeSubnets: ["10.0.0.1", "10.0.0.2"],
            type: "Connector",
            port: 45000,
          },
        ],
      },
    });
  });

  test("a member registers itself through its host, not in an object of its own", () => {
    const member = plan([NODES], { ...SETTINGS, role: "member" });
    expect([...member.keys()].filter((key) => key.startsWith("Cluster/"))).toEqual([]);
    expect(member.connector.name).toBe("paris.connector");
  });

  test("Clusters of FabEdge 0.6 spell their endpoints otherwise and mean the same", () => {
    const old = plan([NODES, COMMUNITIES, LYON.replace("endpoints:", "endPoints:")]);
    expect(tunnels(old, "connector-config")).toEqual(tunnels(ALL, "connector-config"));
  });

  test("a network of another cluster that lies inside one of ours is left out, and that is said", () => {
    const { connector } = SETTINGS;
    const wide = plan([NODES, COMMUNITIES, LYON], {
      ...SETTINGS,
      connector: { ...connector, subnets: [prefix("10.96.0.0/12")] },
    });
    const { peers } = tunnels(wide, "connector-config") as { readonly peers: readonly unknown[] };
    expect(peers[0]).toMatchObject({ name: "lyon.connector", subnets: ["10.2.0.0/24"] });
    expect(wide.problems("Cluster/lyon")).toMatchObject([{ code: "CIDR_OVERLAP" }]);
  });

  test("with Calico each edge network and each network of other clusters gets a pool that gives nothing", () => {
    const calico = plan([NODES, COMMUNITIES, LYON], makeCalicoSettings());
    const pools = [...calico.keys()].filter((key) => key.startsWith("IPPool/")).sort();
    expect(pools).toEqual(["IPPool/lyon-10-2-0-0-16", "IPPool/lyon-10-97-0-0-16", "IPPool/paris-10-1-0-0-16"]);
    expect(planManifest(objectOf(calico, "IPPool", "lyon-10-2-0-0-16")).manifest).toEqual({
      metadata: {
        name: "lyon-10-2-0-0-16",
        labels: { "fabedge.io/cluster": "lyon", "fabedge.io/created-by": "fabedge-operator" },
      },
      spec: {
        cidr: "10.2.0.0/16",
        disabled: true,
        blockSize: 26,
        ipipMode: "Never",
        vxlanMode: "Never",
        natOutgoing: false,
      },
    });
  });

  test("with Calico an annotation is honoured, and who has none gets a subnet and an annotation", () => {
    const calico = plan([NODES, COMMUNITIES, LYON], makeCalicoSettings());
    expect(tunnels(calico, "fabedge-agent-config-e1")).toMatchObject({ subnets: ["10.1.7.0/24"] });
    expect(calico.document("NodeAnnotations/e1")).toEqual({ state: "absent" });
    const { annotations } = objectOf(calico, "NodeAnnotations", "e2");
    expect(annotations["fabedge.io/subnets"]).toMatch(/^10\.1\.\d+\.0\/24$/);
    expect(tunnels(calico, "fabedge-agent-config-e2")).toMatchObject({ subnets: [annotations["fabedge.io/subnets"]] });
  });

  test("with Calico the connector has the blocks of cloud nodes, new ones at once", () => {
    const block = (name: string, cidr: string, node: string) =>
      `apiVersion: crd.projectcalico.org/v1\nkind: IPAMBlock\nmetadata: {name: ${name}}\nspec: {cidr: ${cidr}, affinity: "host:${node}"}\n`;
    const calicoSettings = makeCalicoSettings();
    const calico = plan([NODES, block("b1", "10.233.64.0/26", "cloud-1")], calicoSettings);
    expect(tunnels(calico, "connector-config")).toMatchObject({
      subnets: ["10.96.0.0/16", "10.233.64.0/26"],
      nodeSubnets: ["10.0.0.1"],
    });
    const { documents } = calico.apply(read(block("b2", "10.233.64.64/26", "cloud-1"), calicoSettings));
    expect(documents).toContain("ConfigMap/fabedge/connector-config");
    expect(tunnels(calico, "fabedge-agent-config-e1")).toMatchObject({
      peers: [{ name: "paris.connector", subnets: ["10.96.0.0/16", "10.233.64.0/26", "10.233.64.64/26"] }],
    });
  });
});
