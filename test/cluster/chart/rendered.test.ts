import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseOperatorOptions } from "../../../cloud/operator/operator-options.ts";
import { parseConnectorOptions } from "../../../cloud/wiring/connector-options.ts";
import { parseNodeAgentCommand } from "../../../cloud/wiring/node-agent-options.ts";
import { formatPrefix } from "../../../src/base/ip.ts";
import { CALICO, CHART, FLANNEL, helm, operatorCommand, refusal, render, runHelm } from "../../support/chart.ts";

const FABEDGE = Bun.YAML.parse(readFileSync(join(import.meta.dir, "fabedge-1.0.0.yaml"), "utf8")) as typeof CALICO;
const VALUE_SETS = { FLANNEL, CALICO, "FabEdge 1.0.0's": FABEDGE };

/** The values of FLANNEL with others laid over them. */
function changed(group: "cluster" | "operator" | "agent", values: object): object {
  const base: Readonly<Record<string, object>> = FLANNEL;
  return { ...base, [group]: { ...base[group], ...values } };
}

/** What the operator reads of what the chart tells it. @throws with its refusal */
function operatorOptions(values: object) {
  const deployment = render(values).find(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("Cannot find a Deployment in the chart");
  const { words, environment } = operatorCommand(deployment);
  expect(words[0]).toBe("operator");
  const options = parseOperatorOptions(words.slice(1), environment);
  if (!options.ok) throw new Error(options.error.message);
  return options.value;
}

describe("the chart", () => {
  test.each(Object.entries(VALUE_SETS))("is found to be good by helm lint --strict with %s values", (_, values) => {
    const { code, stdout, stderr } = runHelm(["lint", "--strict", CHART, "--values=-"], values);
    expect(stderr + stdout).toContain("1 chart(s) linted, 0 chart(s) failed");
    expect(code).toBe(0);
  });

  test.each(Object.entries(VALUE_SETS))("tells the operator what it understands with %s values", (_, values) => {
    const { settings } = operatorOptions(values);
    expect(settings.cluster).toBe(values.cluster.name);
    expect(settings.clusterCidrs.map(formatPrefix)).toEqual(values.cluster.clusterCIDR);
    expect(settings.connector.publicAddresses).toEqual(values.cluster.connectorPublicAddresses);
  });

  test("hands everything of FabEdge's values to the operator that it has an ear for", () => {
    const { settings, logLevel, join } = operatorOptions(FABEDGE);
    expect(join).toMatchObject({ listen: { port: 3030 }, addresses: ["203.0.113.5"] });
    expect({ ...settings.connector, subnets: settings.connector.subnets.map(formatPrefix) }).toEqual({
      subnets: ["10.233.0.0/18"],
      publicAddresses: ["203.0.113.5", "connector.example.org"],
      publicPort: 45_000,
      mediator: true,
    });
    expect(settings.edgePools.map(({ cidr, blockLength }) => [formatPrefix(cidr), blockLength])).toEqual([
      ["10.10.0.0/16", 26],
    ]);
    expect(settings.edgeLabels).toEqual({ "node-role.kubernetes.io/edge": "", "agent.fabedge.io/enabled": "true" });
    expect(settings.agent.arguments).toEqual({
      "log-level": "3",
      "masq-outgoing": "true",
      "enable-proxy": "true",
      "enable-dns": "true",
      "auto-networking": "true",
      "multicast-token": "1b1bb567",
    });
    expect(logLevel).toBe("debug");
  });

  test("takes no name of FabEdge's release beside it, before its connectors and after them", () => {
    const operator = { name: "selvedge-operator" };
    const ours = (connector: object, cloudAgent: object) =>
      render({ ...FABEDGE, operator, connector, cloudAgent }).filter(({ kind }) => !/Binding$/.test(kind));
    const taken = (objects: ReturnType<typeof ours>) =>
      objects.filter(({ metadata }) => /^fabedge/.test(metadata.name));
    const before = ours({ create: false }, { create: false });
    expect(taken(before)).toEqual([]);
    expect(before.map(({ kind }) => kind)).not.toContain("DaemonSet");
    const after = ours({ name: "selvedge-connector" }, { name: "selvedge-cloud-agent" });
    expect(taken(after)).toEqual([]);
    expect(after.filter(({ kind }) => kind === "DaemonSet")).toHaveLength(2);
  });

  test("has FabEdge's defaults where nothing is said", () => {
    const { settings } = operatorOptions(FLANNEL);
    expect(settings).toMatchObject({
      role: "host",
      namespace: "fabedge",
      edgeLabels: { "node-role.kubernetes.io/edge": "" },
      endpointIdFormat: "C=CN, O=fabedge.io, CN={node}",
      certificateOrganization: "fabedge.io",
      agent: { mode: "host", arguments: { "masq-outgoing": "true", "enable-proxy": "false", "enable-dns": "false" } },
    });
    const { settings: calico } = operatorOptions(CALICO);
    expect(calico.keepIpPools).toBe(true);
    expect(calico.edgePools.map(({ blockLength }) => blockLength)).toEqual([24, 120]);
  });

  test("does something with every one of its values", () => {
    const defaults = Bun.YAML.parse(helm(["show", "values", CHART])) as Tree;
    const others: Readonly<Record<string, unknown>> = {
      role: "member",
      connectorPublicPort: 45_000,
      edgeLabels: ["edge=yes"],
      connectorLabels: ["connector=yes"],
      logLevel: "debug",
      mode: "pod",
      pullPolicy: "Always",
      endpointIDFormat: "CN={node}, O=fabedge.io,",
      edgeCIDRMaskSize: 26,
      edgeCIDRMaskSize6: 112,
      edgePodCIDR: "10.201.0.0/16",
      edgePodCIDR6: "fd00:201::/64",
      clusterCIDR: ["10.2.0.0/16"],
      serviceClusterIPRange: ["10.97.0.0/16"],
      connectorPublicAddresses: ["198.51.100.2"],
      publicAddresses: ["198.51.100.3"],
      cniType: "flannel",
      name: "another",
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "another", operator: "Exists" }],
      podAnnotations: { a: "b" },
      imagePullSecrets: [{ name: "key" }],
    };
    const before = JSON.stringify(render(CALICO));
    const without: string[] = [];
    for (const path of leaves(defaults)) {
      const last = path.at(-1) ?? "";
      const value = others[last] ?? opposite(at(defaults, path));
      const tree = structuredClone(CALICO) as Tree;
      put(tree, path, value);
      // The two go together.
      if (last === "certOrgName") put(tree, ["operator", "endpointIDFormat"], `C=CN, O=${value}, CN={node}`);
      if (JSON.stringify(render(tree)) === before) without.push(path.join("."));
    }
    expect(without).toEqual([]);
  });

  test("names secrets for images to every account, and to the operator for agents in pods", () => {
    const values = { ...FABEDGE, imagePullSecrets: [{ name: "one" }, { name: "two" }] };
    const accounts = render(values).filter(({ kind }) => kind === "ServiceAccount");
    expect(accounts).toHaveLength(3);
    for (const account of accounts) expect(account).toMatchObject({ imagePullSecrets: values.imagePullSecrets });
    expect(operatorOptions(values).settings.agent.imagePullSecrets).toEqual(["one", "two"]);
    expect(operatorOptions(FABEDGE).settings.agent.imagePullSecrets).toEqual([]);
  });

  test("keeps operators off edge nodes, which have all of several labels, and apart", () => {
    const deployment = render(FABEDGE).find(({ kind }) => kind === "Deployment") as unknown as {
      spec: { template: { spec: { affinity: Readonly<Record<string, object>> } } };
    };
    const { affinity } = deployment.spec.template.spec;
    // Terms are alternatives: a node that lacks any one of the labels will do.
    expect(affinity["nodeAffinity"]).toEqual({
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "node-role.kubernetes.io/edge", operator: "NotIn", values: [""] }] },
          { matchExpressions: [{ key: "agent.fabedge.io/enabled", operator: "NotIn", values: ["true"] }] },
        ],
      },
    });
    expect(affinity).toHaveProperty("podAntiAffinity");
  });

  test("puts a connector on each node that is labelled for it, and a node-agent on every other one of the cloud", () => {
    const terms = (name: string) =>
      podOf(FABEDGE, name).affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    const is = (key: string, operator: string, value = "") => ({ key, operator, values: [value] });
    const [edge, connector] = ["node-role.kubernetes.io/edge", "node-role.kubernetes.io/connector"];
    expect(terms("fabedge-connector").nodeSelectorTerms).toEqual([
      { matchExpressions: [is(connector, "In"), is(edge, "NotIn")] },
      { matchExpressions: [is(connector, "In"), is("agent.fabedge.io/enabled", "NotIn", "true")] },
    ]);
    expect(terms("fabedge-cloud-agent").nodeSelectorTerms).toEqual([
      { matchExpressions: [is(edge, "NotIn"), is(connector, "NotIn")] },
      { matchExpressions: [is("agent.fabedge.io/enabled", "NotIn", "true"), is(connector, "NotIn")] },
    ]);
    for (const name of ["fabedge-connector", "fabedge-cloud-agent"]) {
      expect(podOf(FABEDGE, name)).toMatchObject({ hostNetwork: true, tolerations: [{ operator: "Exists" }] });
    }
  });

  test("tells connector and node-agent what they understand, and gives them the node's network and nothing else", () => {
    const { containers: connector } = podOf(CALICO, "fabedge-connector");
    const { containers: agent } = podOf(CALICO, "fabedge-cloud-agent");
    const [words = [], agentWords = []] = [connector[0]?.args, agent[0]?.args];
    expect([words[0], agentWords[0]]).toEqual(["connector", "node-agent"]);
    expect(parseConnectorOptions(words.slice(1), { NODE_NAME: "c1" })).toMatchObject({
      value: { node: "c1", namespace: "fabedge", calico: true, listen: { hostname: "127.0.0.1", port: 8082 } },
    });
    expect(parseNodeAgentCommand(agentWords.slice(1), { NODE_NAME: "n1" })).toMatchObject({
      value: { options: { node: "n1", namespace: "fabedge", listen: { hostname: "127.0.0.1", port: 8083 } } },
    });
    const powers = [...connector, ...agent].map(({ name, securityContext }) => [
      name,
      securityContext.capabilities.add,
    ]);
    expect(Object.fromEntries(powers)).toEqual({
      connector: ["NET_ADMIN"],
      strongswan: ["NET_ADMIN", "NET_BIND_SERVICE"],
      "node-agent": ["NET_ADMIN"],
    });
    for (const { securityContext } of [...connector, ...agent]) {
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  test("runs nothing without bounds and probes, nor on another system, nor with more of a node than it needs", () => {
    for (const { kind, metadata, ...rest } of render(FABEDGE)) {
      const spec = (rest as { spec?: { template?: { spec?: AnyPod } } & AnyPod }).spec;
      const pod = spec?.template?.spec ?? (kind === "Pod" ? spec : undefined);
      if (pod?.containers === undefined) continue;
      expect(pod).toMatchObject({ nodeSelector: { "kubernetes.io/os": "linux" } });
      for (const field of ["hostPID", "hostIPC"]) expect(pod).not.toHaveProperty(field);
      expect((pod.volumes ?? []).filter((volume) => "hostPath" in volume)).toEqual([]);
      for (const container of pod.containers) {
        const what = `${metadata.name}'s ${container.name}`;
        const { resources, securityContext, livenessProbe } = container;
        expect([what, { ...pod.securityContext, ...securityContext }]).toMatchObject([
          what,
          {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
            seccompProfile: { type: "RuntimeDefault" },
          },
        ]);
        expect([what, resources]).toMatchObject([
          what,
          {
            requests: { cpu: expect.any(String), memory: expect.any(String) },
            limits: { memory: expect.any(String) },
          },
        ]);
        if (kind !== "Pod") expect([what, livenessProbe]).toMatchObject([what, { timeoutSeconds: 5 }]);
      }
    }
  });

  test("shows the account's token to the connector, and not to charon, which hears the world", () => {
    const pod = podOf(FLANNEL, "fabedge-connector");
    expect(pod.automountServiceAccountToken).toBe(false);
    const mounts = pod.containers.map(({ name, volumeMounts }) => [name, volumeMounts.map((mount) => mount.mountPath)]);
    expect(Object.fromEntries(mounts)).toEqual({
      connector: ["/run/selvedge/charon", "/run/selvedge-connector", "/var/run/secrets/kubernetes.io/serviceaccount"],
      strongswan: ["/run/selvedge/charon"],
    });
  });

  test("lets only an operator with a standby be held in place while nodes are drained", () => {
    const kinds = (values: object) => render(values).map(({ kind }) => kind);
    expect(kinds(FLANNEL)).toContain("PodDisruptionBudget");
    expect(kinds(changed("operator", { replicas: 1 }))).not.toContain("PodDisruptionBudget");
  });

  test.each([
    ["no name", changed("cluster", { name: "" }), "/cluster/name"],
    ["a name in capitals", changed("cluster", { name: "Paris" }), "'Paris' does not match pattern"],
    ["an unknown CNI", changed("cluster", { cniType: "cilium" }), "value must be one of 'flannel', 'calico'"],
    ["no cluster CIDR", changed("cluster", { clusterCIDR: [] }), "'/cluster/clusterCIDR': minItems: got 0, want 1"],
    ["text for a list", changed("cluster", { clusterCIDR: "10.1.0.0/16" }), "got string, want array"],
    ["no network", changed("cluster", { clusterCIDR: ["10.1.0.0"] }), "'/cluster/clusterCIDR/0': '10.1.0.0' does not"],
    ["no public address", changed("cluster", { connectorPublicAddresses: [] }), "/cluster/connectorPublicAddresses"],
    ["Calico without a pool", changed("cluster", { cniType: "calico" }), "/cluster/edgePodCIDR"],
    ["a port beyond the last", changed("cluster", { connectorPublicPort: 65_536 }), "/cluster/connectorPublicPort"],
    ["an unknown mode", changed("agent", { mode: "both" }), "value must be one of 'host', 'pod'"],
    ["an identity of nobody", changed("operator", { endpointIDFormat: "C=CN" }), "/operator/endpointIDFormat"],
    ["an argument with a blank", changed("agent", { args: { "A B": "1" } }), "/agent/args"],
    ["two organizations", changed("operator", { certOrgName: "acme" }), "C=CN, O=fabedge.io, CN={node} and acme"],
    ["FabEdge's operator", changed("operator", { image: { repository: "fabedge/operator" } }), "is FabEdge's own"],
    [
      "FabEdge's charon",
      { ...FLANNEL, strongswan: { image: { repository: "fabedge/strongswan" } } },
      "is FabEdge's own",
    ],
    ["FabEdge's agent", changed("agent", { image: { repository: "fabedge/agent" } }), "agent.image.repository is"],
  ])("refuses %s, and says where", (_, values, text) => {
    expect(refusal(values)).toContain(text);
  });
});

interface AnyPod {
  readonly securityContext?: object;
  readonly volumes?: readonly object[];
  readonly containers?: readonly {
    readonly name: string;
    readonly resources?: object;
    readonly securityContext?: object;
    readonly livenessProbe?: object;
  }[];
}

interface PodSpec {
  readonly automountServiceAccountToken?: boolean;
  readonly affinity: {
    readonly nodeAffinity: {
      readonly requiredDuringSchedulingIgnoredDuringExecution: { readonly nodeSelectorTerms: readonly object[] };
    };
  };
  readonly containers: readonly {
    readonly name: string;
    readonly args?: readonly string[];
    readonly volumeMounts: readonly { readonly mountPath: string }[];
    readonly securityContext: { readonly capabilities: { readonly add: readonly string[] } };
  }[];
}

function podOf(values: object, daemonSet: string): PodSpec {
  const found = render(values).find(({ kind, metadata }) => kind === "DaemonSet" && metadata.name === daemonSet);
  if (found === undefined) throw new Error(`Cannot find DaemonSet ${daemonSet} in the chart`);
  return (found as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

type Tree = { [name: string]: unknown };

/** Paths of what is no group; a map without entries and a list are values. */
function leaves(tree: Tree, above: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(tree).flatMap(([name, value]) => {
    const path = [...above, name];
    // What a map holds is the user's own.
    if (name === "resources" || name === "args") return [path];
    return isTree(value) && Object.keys(value).length > 0 ? leaves(value, path) : [path];
  });
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((part, name) => (isTree(part) ? part[name] : undefined), tree);
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [name = "", ...rest] = path;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  if (!isTree(tree[name])) tree[name] = {};
  put(tree[name] as Tree, rest, value);
}

function opposite(value: unknown): unknown {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  if (isTree(value)) return { ANOTHER: "1" };
  return `${value}another`;
}
