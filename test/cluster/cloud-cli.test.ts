import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { waitFor } from "../lab/wait-for.ts";
import { FLANNEL, operatorCommand, render } from "../support/chart.ts";
import { applyObject } from "../support/cluster-objects.ts";
import { administrator, inCluster, kubectl, toolPath } from "../support/in-cluster.ts";
import { addCommunity, addNode, installCrds, NAMESPACE, see } from "../support/operator-world.ts";

const PROGRAM = join(import.meta.dir, "../../dist/selvedge-cloud-linux-x64");
/** Where a pod finds them. */
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";
const CRDS = join(import.meta.dir, "../../cloud/crds");
const PLUGINS = "/run/kubernetes/plugins";

inCluster(import.meta.path, () => {
  let operator: Bun.Subprocess<"ignore", "ignore", "ignore">;
  let inPod: Readonly<Record<string, string>>;
  const asAdministrator = { HOME: "/nonexistent", KUBECONFIG: process.env["SELVEDGE_TEST_KUBECONFIG"] ?? "" };

  beforeAll(async () => {
    const { credentials, url: server } = await administrator();
    const url = new URL(server);
    inPod = { HOME: "/nonexistent", KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port };
    await installCrds();
    const objects = render(FLANNEL);
    for (const object of objects) if (object.kind !== "Pod") await applyObject(object);
    kubectl("create", "serviceaccount", "default", `-n${NAMESPACE}`);
    await addNode("e1", 7);
    await addNode("e2", 8);
    await addNode("cloud-1", 1, false);
    kubectl("annotate", "node", "e1", "fabedge.io/node-public-addresses=203.0.113.7,e1.example.org");
    kubectl("label", "node", "e2", "selvedge.io/agent-mode=pod", "region=north");
    await addCommunity("line-3", ["paris.e1", "paris.e2"]);
    await addCommunity("clouds", ["paris.connector", "lyon.connector"]);
    await applyObject(LYON);

    // As its Deployment would, of which nothing makes pods here.
    const deployment = objects.find(({ kind }) => kind === "Deployment");
    if (deployment === undefined) throw new Error("The chart has no Deployment");
    const { spec } = (deployment as unknown as { spec: { template: { spec: { serviceAccountName: string } } } }).spec
      .template;
    mkdirSync(ACCOUNT, { recursive: true });
    await Bun.write(`${ACCOUNT}/ca.crt`, (await credentials()).tls?.ca ?? "");
    await Bun.write(`${ACCOUNT}/token`, kubectl("create", "token", spec.serviceAccountName, `-n${NAMESPACE}`).trim());
    await applyObject({ apiVersion: "v1", kind: "Pod", metadata: { name: "operator-1", namespace: NAMESPACE }, spec });
    const { words, environment } = operatorCommand(deployment);
    const env = { ...environment, ...inPod };
    operator = Bun.spawn([PROGRAM, ...words], { env, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    await waitFor(
      "certificates",
      async () => (await see("secret", "fabedge-agent-tls-e2")) && (await see("secret", "connector-tls")),
    );
    await waitFor("the agent's pod", () => kubectl("get", "pods", `-n${NAMESPACE}`).includes("fabedge-agent-"));
  });
  afterAll(() => operator?.kill());

  function run(words: readonly string[], env: Readonly<Record<string, string>> = asAdministrator) {
    const { exitCode, stdout, stderr } = Bun.spawnSync([PROGRAM, ...words], { env });
    return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
  }
  function json(...words: readonly string[]) {
    const { code, out, err } = run([...words, "--output=json"]);
    if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${err}${out}`);
    return JSON.parse(out);
  }

  describe("selvedge-cloud shows a cluster", () => {
    test("nodes, as the operator plans for them", async () => {
      const { items } = json("nodes");
      expect(items).toMatchObject([
        {
          ...{ name: "paris.connector", role: "connector", publicAddresses: ["198.51.100.1"], ready: true },
          peers: ["lyon.connector", "paris.e1", "paris.e2"],
        },
        { name: "cloud-1", role: "cloud", podCidrs: ["10.1.1.0/24"], nodeAddresses: ["192.168.9.1"], peers: [] },
        {
          ...{
            name: "e1",
            role: "edge",
            mode: "host",
            ready: true,
            publicAddresses: ["203.0.113.7", "e1.example.org"],
          },
          ...{ podCidrs: ["10.1.7.0/24"], communities: ["line-3"], peers: ["paris.connector", "paris.e2"] },
        },
        { name: "e2", role: "edge", mode: "pod", nodeAddresses: ["192.168.9.8"] },
      ]);
      const tunnels = (await see("configmap", "fabedge-agent-config-e1"))?.data?.["tunnels.yaml"] ?? "";
      const written = (Bun.YAML.parse(tunnels) as { peers: { name: string }[] }).peers.map(({ name }) => name);
      expect(items[2].peers).toEqual(written.toSorted());

      expect(json("nodes", "-l", "region=north").items.map(({ name }: { name: string }) => name)).toEqual(["e2"]);
      expect(
        run(["nodes", "--edge-only"])
          .out.split("\n")
          .map((line) => line.split(" ")[0]),
      ).toEqual([...["NAME", "e1", "e2", ""]]);
      expect(run(["nodes", "e1"]).out).toContain("Peers       paris.connector,paris.e2\n");
      expect(run(["nodes", "e9"])).toEqual({ code: 1, out: "", err: 'There is no such node "e9".\n' });
    });

    test("the topology, as SVG that librsvg draws, as DOT that graphviz takes, and as JSON", () => {
      const { links, communities } = json("topology");
      expect(links).toEqual([
        { from: "paris.e1", to: "paris.connector", via: null },
        { from: "paris.e2", to: "paris.connector", via: null },
      ]);
      expect(communities).toEqual([
        { name: "clouds", members: ["lyon.connector", "paris.connector"] },
        { name: "line-3", members: ["paris.e1", "paris.e2"] },
      ]);
      const svg = run(["topology"]).out;
      const drawn = Bun.spawnSync(["rsvg-convert", "--format=png"], { stdin: Buffer.from(svg) });
      expect(drawn.stderr.toString()).toBe("");
      expect(drawn.stdout.toString("latin1")).toContain("PNG");
      const dot = Bun.spawnSync(["dot", "-Tsvg"], { stdin: Buffer.from(run(["topology", "-o", "dot"]).out) });
      expect(dot.stderr.toString()).toBe("");
      expect(dot.stdout.toString()).toContain("<title>paris.e1&#45;&#45;paris.e2</title>");
    });

    test("certificates, and where their keys are", () => {
      const { items } = json("certs");
      expect(items).toMatchObject([
        { secret: "fabedge-ca", kind: "authority", key: "secret", problem: null, valid: true },
        { secret: "connector-tls", kind: "leaf", subject: "C=CN, O=fabedge.io, CN=paris.connector", valid: true },
        { secret: "fabedge-agent-tls-e1", names: ["paris.e1", "192.168.9.7"], key: "secret", problem: null },
        { secret: "fabedge-agent-tls-e2", valid: true },
      ]);
      const days = (text: string) => (Date.parse(text) - Date.now()) / 86_400_000;
      expect(days(items[2].ends)).toBeCloseTo(90, 0);
      expect(days(items[2].renewal)).toBeWithin(50, 65);
    });

    test("images of the operator, of agents, and of what is left of FabEdge", async () => {
      const labels = { app: "connector" };
      const container = { name: "strongswan", image: "fabedge/connector:v1.0.0" };
      await applyObject({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "connector", namespace: NAMESPACE },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [container] } },
        },
      });
      const { items } = json("images");
      expect(items).toMatchObject([
        { workload: "DaemonSet/fabedge-cloud-agent", role: "node-agent" },
        { workload: "DaemonSet/fabedge-connector", container: "connector", role: "connector" },
        { workload: "DaemonSet/fabedge-connector", container: "strongswan", role: "connector" },
        { workload: "Deployment/connector", role: "FabEdge's", image: "fabedge/connector:v1.0.0" },
        { workload: "Deployment/fabedge-operator", role: "operator" },
        { workload: "Pod/fabedge-agent-*", container: "agent", role: "agent", count: 1 },
        { workload: "Pod/fabedge-agent-*", container: "strongswan", role: "agent" },
        { workload: "Pod/operator-1", role: "operator" },
      ]);
    });

    test("as a plugin of kubectl", () => {
      mkdirSync(PLUGINS, { recursive: true });
      symlinkSync(PROGRAM, `${PLUGINS}/kubectl-selvedge`);
      const { KUBECONFIG } = asAdministrator;
      const env = { HOME: "/nonexistent", PATH: `${PLUGINS}:${dirname(toolPath("kubectl"))}:/usr/bin:/bin` };
      const plugin = (...words: string[]) => Bun.spawnSync([toolPath("kubectl"), ...words], { env });
      expect(plugin("plugin", "list").stdout.toString()).toContain(`${PLUGINS}/kubectl-selvedge\n`);
      const said = plugin("selvedge", "nodes", "e1", "--kubeconfig", KUBECONFIG, "-n", NAMESPACE);
      expect(said.stderr.toString()).toBe("");
      expect(said.stdout.toString()).toStartWith("Name        e1\n");
    });
  });

  describe("selvedge-cloud check", () => {
    test("finds nothing wrong, as an administrator and under the operator's own account", async () => {
      await waitFor("a settled operator", () => run(["check"]).code === 0).catch((error) => {
        throw new Error(`${error.message}\n${run(["check"]).out}`);
      });
      const { code, out } = run(["check", `--namespace=${NAMESPACE}`], inPod);
      expect(out).not.toContain("FAILED");
      expect(out.split("\n").map((line) => line.slice(0, 18).trimEnd())).toEqual([
        ...["OK        api", "OK        crds", "OK        operator", "OK        rbac", "OK        leader"],
        ...["OK        connect", "OK        plan", "OK        certs", ""],
      ]);
      expect(code).toBe(0);
    });

    test("tells definitions of another version, though they have a status", async () => {
      const rules = [{ rule: "size(self) < 9", message: "few" }];
      const path =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/members/x-kubernetes-validations";
      const patch = JSON.stringify([{ op: "replace", path, value: rules }]);
      kubectl("patch", "crd", "communities.fabedge.io", "--type=json", `--patch=${patch}`);
      // It publishes schemas a moment later.
      const { out } = await waitFor("it says so", () => {
        const found = run(["check", "--installation"]);
        return found.code === 3 && found;
      });
      expect(out).toContain("CRD_OUTDATED\n");
      expect(out).toContain("communities is another version's: it differs in spec.members\n");
      kubectl("apply", "--server-side", "--force-conflicts", `--filename=${CRDS}`);
      const { code } = run(["check", "--wait=20"]);
      expect(code).toBe(0);
    });

    test("names what the account lacks", async () => {
      kubectl("delete", "rolebinding", "fabedge-operator", `-n${NAMESPACE}`);
      const { code, out } = run(["check"]);
      expect(out).toContain("PERMISSION_MISSING\n");
      expect(out).toContain("may not list configmaps in fabedge, watch configmaps in fabedge");
      expect(code).toBe(3);
      for (const object of render(FLANNEL)) if (object.kind === "RoleBinding") await applyObject(object);
    });

    test("names what is wrong with nodes, with the code and a way out", async () => {
      await applyObject({
        ...{ apiVersion: "v1", kind: "Node" },
        metadata: { name: "e3", labels: { "node-role.kubernetes.io/edge": "" } },
      });
      const { code, out } = run(["check"]);
      expect(out).toContain("INTERNAL_IP_MISSING\n");
      expect(out).toContain("Cannot connect node e3");
      expect(code).toBe(3);
      // A node without an address is no fault of the installation.
      expect(run(["check", "--installation"], inPod)).toMatchObject({ code: 0, err: "" });
      kubectl("delete", "node", "e3");
    });

    test("says that nobody leads once the leader is gone", async () => {
      operator.kill();
      await operator.exited;
      const { code, out } = run(["check"]);
      expect(out).toContain("LEADER_MISSING\n");
      expect(code).toBe(3);
    });
  });

  test("what cannot be asked has an exit status of its own", async () => {
    expect(run(["nodes", "--namespace=elsewhere"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("Cannot find the operator"),
    });
    const kubeconfig = (await Bun.file(asAdministrator.KUBECONFIG).text()).replace(
      /server: .*/,
      "server: https://127.0.0.1:1",
    );
    await Bun.write("/run/kubernetes/nowhere", kubeconfig);
    expect(run(["nodes", "--kubeconfig=/run/kubernetes/nowhere"]).code).toBe(4);
    expect(run(["check", "--kubeconfig=/run/kubernetes/nowhere"])).toMatchObject({
      code: 3,
      out: expect.stringContaining("KUBE_UNREACHABLE"),
    });
    expect(run(["nodes", "--context=nowhere"])).toMatchObject({
      code: 78,
      err: expect.stringContaining('"nowhere" is not among the contexts'),
    });
    expect(run(["nodes"], inPod)).toMatchObject({ code: 0 });
    expect(run(["images"], inPod)).toMatchObject({ code: 5 });
    expect(run(["certs", "--ouptut=json"])).toMatchObject({ code: 2, err: expect.stringContaining("--output") });
  });
});

const LYON = {
  apiVersion: "fabedge.io/v1alpha1",
  kind: "Cluster",
  metadata: { name: "lyon" },
  spec: {
    cidrs: ["10.2.0.0/16", "10.97.0.0/16"],
    endpoints: [
      {
        id: "C=CN, O=fabedge.io, CN=lyon.connector",
        name: "lyon.connector",
        publicAddresses: ["198.51.100.9"],
        subnets: ["10.97.0.0/16", "10.2.0.0/24"],
        nodeSubnets: ["10.20.0.4"],
        type: "Connector",
      },
    ],
  },
};
