import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { KubernetesObject } from "../../lab/service-objects.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { mayDo, writeObject } from "../../support/account-rules.ts";
import { AUDIT_FLAGS, auditLines, refusals } from "../../support/audit-log.ts";
import { CALICO, CHART, FLANNEL, helm, objectsOf, operatorCommand, packagedChart } from "../../support/chart.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { covers, formatGrant, usesOf } from "../../support/grants.ts";
import { administrator, inCluster, kubectl } from "../../support/in-cluster.ts";
import { addCommunity, addNode, installCalicoCrds, NAMESPACE, see } from "../../support/operator-world.ts";
import { CLOUD_PROGRAM, enterPod, PodProgram } from "../../support/pod-program.ts";

const AGENT = join(import.meta.dir, "../../../dist/selvedge-linux-x64");
const FABEDGE = Bun.YAML.parse(readFileSync(join(import.meta.dir, "fabedge-1.0.0.yaml"), "utf8")) as object;
const NAME = "fabedge-operator";
const USER = `system:serviceaccount:${NAMESPACE}:${NAME}`;
const RELEASE = ["fabedge", CHART, `--namespace=${NAMESPACE}`, "--values=-"];

const FABEDGE_AGENT = { "fabedge.io/app": "fabedge-agent", "fabedge.io/created-by": "fabedge-operator" };

/** Worked out by hand from what the operator is for. Namespace "" is the whole cluster; ":NAME" is that object alone. */
const EVERYWHERE = {
  "fabedge.io/communities": "list watch",
  "fabedge.io/communities/status": "patch",
  "fabedge.io/clusters": "create list patch watch",
  "fabedge.io/clusters/status": "patch",
  "/nodes/status": "patch",
  "/nodes/finalizers": "update",
  "/services": "list watch",
  "discovery.k8s.io/endpointslices": "list watch",
  "dns.fabedge.io/globalservices": "create delete list patch watch",
  "events.k8s.io/events": "create patch",
};
const IN_OWN_NAMESPACE = {
  "/configmaps": "create delete list patch watch",
  "/secrets": "create delete get list patch watch",
  "/pods": "create delete list watch",
  "coordination.k8s.io/leases": "create",
  "coordination.k8s.io/leases:fabedge-operator-leader": "get patch",
};
const GRANTS = {
  flannel: { "": { ...EVERYWHERE, "/nodes": "list watch" }, [NAMESPACE]: IN_OWN_NAMESPACE },
  calico: {
    "": {
      ...EVERYWHERE,
      // The subnets of an edge node are kept in an annotation.
      "/nodes": "list patch watch",
      "crd.projectcalico.org/ipamblocks": "list watch",
      "crd.projectcalico.org/ippools": "create delete list patch watch",
    },
    [NAMESPACE]: IN_OWN_NAMESPACE,
  },
};

function webService(port: number): KubernetesObject {
  const metadata = { name: "web", namespace: "default", labels: { "fabedge.io/global-service": "true" } };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port, protocol: "TCP" }] } };
}

/** What no minute of work shows in the log. */
const UNSEEN = [
  // Looked up by an admission plugin: it has a test of its own.
  " /nodes/finalizers update",
];

inCluster(import.meta.path, () => {
  let operator: PodProgram | undefined;

  beforeAll(() => installCalicoCrds());
  afterEach(async () => {
    await operator?.stop();
  });

  /** The compiled program, with the command line, environment and account that its Deployment gives it. */
  async function startOperator(): Promise<void> {
    const deployment = JSON.parse(kubectl("get", "deployment", NAME, `-n${NAMESPACE}`, "--output=json"));
    const { words, environment } = operatorCommand(deployment);
    operator = new PodProgram(words, { ...environment, ...(await enterPod(deployment.spec.template.spec)) });
  }

  const log = () => operator?.log ?? "";
  const stopOperator = async () => expect(await operator?.stop()).toBe(0);

  const until = (what: string, condition: () => unknown) =>
    waitFor(what, condition).catch((error) => {
      throw new Error(`${error.message}\n${log()}`);
    });
  const condition = async (kind: string, name: string, type: string) =>
    (await see(kind, name))?.status?.conditions?.find((each) => each["type"] === type);
  const config = (node: string) => see("configmap", `fabedge-agent-config-${node}`);
  const podsOf = (node: string) =>
    (
      JSON.parse(
        kubectl("get", "pods", `-n${NAMESPACE}`, `--field-selector=spec.nodeName=${node}`, "--output=json"),
      ) as { items: { metadata: { name: string; deletionTimestamp?: string } }[] }
    ).items;

  /** Lets the operator do everything that it can be asked for. */
  async function exercise(): Promise<void> {
    await until(
      "ConfigMaps",
      async () => (await config("e1")) && (await config("e2")) && (await see("configmap", "connector-config")),
    );
    await until(
      "Secrets",
      async () => (await see("secret", "fabedge-agent-tls-e2")) && (await see("secret", "connector-tls")),
    );
    await until("its own Cluster", () => see("cluster", "paris"));
    const lease = await see("lease", "fabedge-operator-leader");
    expect(lease?.spec?.["holderIdentity"]).toBeTruthy();

    await addCommunity("pair", ["paris.e1", "paris.e2"]);
    await until(
      "the Community's condition",
      async () => (await condition("community", "pair", "Ready"))?.["status"] === "True",
    );
    const eventsOf = (node: string) =>
      kubectl("get", "events.events.k8s.io", `--field-selector=regarding.name=${node}`, "--output=yaml");
    for (const seen of ["reason: ArgumentMalformed", "count: 2"]) {
      kubectl("annotate", "node", "e1", "argument.fabedge.io/sync-period=soon");
      await until(
        "the Node's condition",
        async () => (await condition("node", "e1", "SelvedgeReady"))?.["reason"] === "ArgumentMalformed",
      );
      await until("the Event", () => eventsOf("e1").includes(seen));
      kubectl("annotate", "node", "e1", "argument.fabedge.io/sync-period-");
      await until(
        "the Node's condition",
        async () => (await condition("node", "e1", "SelvedgeReady"))?.["reason"] === "AsWanted",
      );
    }
    await applyObject(lyon(["10.1.0.0/16"]));
    await until("the Cluster's condition", () => condition("cluster", "lyon", "Ready"));
    await applyObject(lyon(["10.2.0.0/16"]));
    kubectl("patch", "cluster", "paris", "--type=merge", '--patch={"spec":{"cidrs":["10.99.0.0/16"]}}');
    await until(
      "its Cluster as it was",
      async () => !JSON.stringify((await see("cluster", "paris"))?.spec).includes("10.99.0.0"),
    );

    const exported = async () => JSON.stringify((await see("globalservice", "web", "default"))?.spec?.["ports"] ?? "");
    for (const port of [80, 8080]) {
      await applyObject(webService(port));
      await until("the GlobalService", async () => (await exported()).includes(`:${port},`));
    }
    kubectl("label", "service", "web", "fabedge.io/global-service-");
    await until("its end", async () => (await exported()) === '""');

    kubectl("label", "node", "e1", "selvedge.io/agent-mode=pod");
    await until("the agent's pod", () => podsOf("e1").length === 1);
    kubectl("label", "node", "e1", "selvedge.io/agent-mode-");
    // No kubelet runs here: whoever deletes a bound pod has to say that it is over.
    await until("its end", () => podsOf("e1").every(({ metadata }) => metadata.deletionTimestamp !== undefined));
    for (const { metadata } of podsOf("e1"))
      kubectl("delete", "pod", metadata.name, `-n${NAMESPACE}`, "--force", "--grace-period=0");

    await letIn("e2");
    await until("its key on the node", async () =>
      Bun.deepEquals(
        (await see("secret", "fabedge-agent-tls-e2"))?.metadata.labels?.["selvedge.io/private-key"],
        "node",
      ),
    );

    kubectl("label", "node", "e2", "node-role.kubernetes.io/edge-");
    await until(
      "what belonged to e2 gone",
      async () => !(await config("e2")) && !(await see("secret", "fabedge-agent-tls-e2")),
    );
    kubectl("label", "node", "e2", "node-role.kubernetes.io/edge=");
    await until(
      "what belongs to e2",
      async () => (await config("e2")) && (await see("secret", "fabedge-agent-tls-e2")),
    );
  }

  /** By the line that an administrator gets for the node. */
  async function letIn(node: string): Promise<void> {
    const kubeconfig = `--kubeconfig=${process.env["SELVEDGE_TEST_KUBECONFIG"]}`;
    const { hostname } = new URL((await administrator()).url);
    const made = Bun.spawnSync([
      CLOUD_PROGRAM,
      "token",
      "create",
      node,
      `--server=https://${hostname}:3030`,
      kubeconfig,
    ]);
    const [, ...words] = made.stdout.toString().trim().split(" ");
    const joined = Bun.spawnSync([AGENT, ...words, "--tls-dir=/run/kubernetes/joined"]);
    if (joined.exitCode !== 0) throw new Error(`${made.stderr}${joined.stderr}${log()}`);
  }

  const served = async (path: string) => (await fetch(`http://127.0.0.1:8081${path}`)).status;

  describe("installed with Helm", () => {
    test("everything is taken by the API server, CRDs first", async () => {
      helm(["install", ...RELEASE, "--create-namespace"], FLANNEL);
      kubectl("wait", "--for=condition=Established", "crd/communities.fabedge.io", "crd/clusters.fabedge.io");
      const kinds = ["deployment", "serviceaccount", "networkpolicy", "poddisruptionbudget", "service"];
      for (const kind of kinds) expect(await see(kind, NAME), kind).toBeDefined();
      kubectl("create", "serviceaccount", "default", `-n${NAMESPACE}`);
      await addNode("cloud1", 100, false);
      for (const n of [1, 2, 3]) await addNode(`e${n}`, n);
      await applyObject({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "fabedge-agent-old", namespace: NAMESPACE, labels: FABEDGE_AGENT },
        spec: { nodeName: "e3", containers: [{ name: "agent", image: "fabedge/agent:v1.0.0" }] },
      });
    });

    test("it says what of FabEdge's values does nothing, and why nobody needs keepalived", () => {
      const [, notes = ""] = helm(["upgrade", ...RELEASE, "--dry-run=client"], FABEDGE).split("NOTES:");
      expect(notes).toContain("keepalived, fabDNS, serviceHub");
      expect(notes).toContain("connector.replicas, connector.syncPeriod");
      expect(notes).not.toContain("connectorLabels");
      expect(notes).toContain("No keepalived is needed");
      expect(notes).toContain("outside, UDP 45000 alone, which is their 4500");
    });

    test("its own test is a pod that succeeds as soon as an operator leads, under the operator's account", async () => {
      const [pod] = objectsOf(helm(["get", "hooks", "fabedge", `--namespace=${NAMESPACE}`]));
      expect(pod?.metadata["annotations"]).toMatchObject({ "helm.sh/hook": "test" });
      kubectl("apply", "--dry-run=server", `--filename=${writeObject(pod ?? {})}`);
      const { spec } = pod as unknown as {
        spec: Parameters<typeof enterPod>[0] & { containers: { args: string[] }[] };
      };
      const env = await enterPod(spec);
      const run = (...more: readonly string[]) => {
        const { exitCode, stdout } = Bun.spawnSync([CLOUD_PROGRAM, ...(spec.containers[0]?.args ?? []), ...more], {
          env,
        });
        return { exitCode, text: stdout.toString() };
      };
      // No controller runs here, which would make it.
      const { template } = JSON.parse(kubectl("get", "deployment", NAME, `-n${NAMESPACE}`, "--output=json")).spec;
      const metadata = { ...template.metadata, name: "operator", namespace: NAMESPACE };
      await applyObject({ apiVersion: "v1", kind: "Pod", metadata, spec: template.spec });
      expect(run("--wait=1")).toMatchObject({ exitCode: 3, text: expect.stringContaining("leads") });
      await startOperator();
      expect(run()).toMatchObject({ exitCode: 0 });
      kubectl("delete", "rolebinding", NAME, `-n${NAMESPACE}`);
      expect(run("--wait=1").exitCode).not.toBe(0);
      await stopOperator();
      kubectl("delete", "pod", "operator", `-n${NAMESPACE}`, "--force", "--grace-period=0");
    }, 90_000);

    describe.each(["flannel", "calico"] as const)("for %s", (cni) => {
      let firstLine = 0;

      beforeAll(() => {
        helm(
          ["upgrade", ...RELEASE, "--set=cluster.publicAddresses={192.0.2.1}"],
          cni === "flannel" ? FLANNEL : CALICO,
        );
        // What the one before has left, so that it is made again.
        kubectl("delete", "lease", "--all", `-n${NAMESPACE}`);
        kubectl("delete", "clusters.fabedge.io,communities.fabedge.io", "--all");
        firstLine = auditLines().length;
      });

      test("its account may do what a person would say that it needs, and nothing besides", () => {
        const anybody = mayDo("system:serviceaccount:default:anybody", "default");
        const everywhere = mayDo(USER, "kube-public").filter((grant) => !anybody.includes(grant));
        const expected = grantsOf(cni);
        const inNamespace = (name: string) =>
          expected
            .filter(({ namespace }) => namespace === name)
            .map(formatGrant)
            .sort();
        expect(everywhere.sort()).toEqual(inNamespace(""));
        for (const namespace of [NAMESPACE, "default"]) {
          const there = mayDo(USER, namespace).filter((grant) => ![...anybody, ...everywhere].includes(grant));
          expect(there.map((grant) => namespace + grant).sort()).toEqual(inNamespace(namespace));
        }
      });

      test("the operator does everything under that account, and is refused nothing", async () => {
        await startOperator();
        await until("it leads", () => log().includes('"operator.leading"'));
        await until("it is ready", async () => (await served("/readyz")) === 200);
        expect(await served("/livez")).toBe(200);
        await exercise();
        if (cni === "calico") await exerciseCalico();
        await stopOperator();
        // As docs/cloud.md has it for whoever comes from FabEdge.
        expect((await see("pod", "fabedge-agent-old"))?.metadata).not.toHaveProperty("deletionTimestamp");
        expect((await condition("node", "e3", "SelvedgeReady"))?.["reason"]).toBe("FabedgeAgent");
        expect(log()).not.toMatch(/KUBE_(?:FORBIDDEN|UNAUTHORIZED)/);
        expect(refusals(auditLines(firstLine))).toEqual([]);
      }, 90_000);

      test("every one of its permissions is used", () => {
        const granted = grantsOf(cni);
        const used = usesOf(auditLines(firstLine), USER);
        const excess = granted.filter((grant) => !used.some((use) => covers(grant, use)));
        expect(excess.map(formatGrant).sort()).toEqual([...UNSEEN].sort());
      });
    });

    test("where owners that hold up deletions are for whoever may, the account may", async () => {
      const owner = { apiVersion: "v1", kind: "Node", name: "e1", uid: (await see("node", "e1"))?.metadata.uid };
      const metadata = { name: "owned", ownerReferences: [{ ...owner, blockOwnerDeletion: true }] };
      const file = writeObject({ apiVersion: "v1", kind: "ConfigMap", metadata });
      const create = () =>
        kubectl("create", `--as=${USER}`, `--filename=${file}`, "--dry-run=server", `-n${NAMESPACE}`);
      create();
      const rules = JSON.parse(kubectl("get", "clusterrole", `${NAME}-${NAMESPACE}`, "--output=json")) as {
        rules: { resources: string[] }[];
      };
      const index = rules.rules.findIndex(({ resources }) => resources.includes("nodes/finalizers"));
      const patch = JSON.stringify([{ op: "remove", path: `/rules/${index}` }]);
      kubectl("patch", "clusterrole", `${NAME}-${NAMESPACE}`, "--type=json", `--patch=${patch}`);
      expect(create).toThrow("cannot set blockOwnerDeletion");
    });

    test("what the operator has made outlives the release: certificates, CRDs and communities", async () => {
      helm(["uninstall", "fabedge", `--namespace=${NAMESPACE}`]);
      expect(await see("deployment", NAME)).toBeUndefined();
      expect(kubectl("get", "clusterroles,clusterrolebindings,roles,rolebindings", "-A", "-oname")).not.toContain(NAME);
      for (const [kind, name] of [
        ["secret", "fabedge-ca"],
        ["secret", "fabedge-agent-tls-e1"],
        ["configmap", "fabedge-agent-config-e1"],
        ["community", "pair"],
      ] as const)
        expect(await see(kind, name), name).toBeDefined();
    });

    test("as one file for kubectl, it is the same", async () => {
      const words = Object.entries(FLANNEL.cluster).flatMap(([name, value]) =>
        Array.isArray(value) ? ["--set", `cluster.${name}={${value}}`] : ["--set", `cluster.${name}=${value}`],
      );
      const chart = packagedChart(...words);
      const file = join(dirname(chart), "install.yaml");
      const apply = () => kubectl("apply", "--server-side", `--filename=${file}`);
      expect(apply().match(/serverside-applied/g)).toHaveLength(objectsOf(readFileSync(file, "utf8")).length);
      expect(await see("deployment", NAME)).toBeDefined();
      const version = async () => (await see("deployment", NAME))?.metadata.resourceVersion;
      const before = await version();
      apply();
      expect(await version()).toBe(before);
    });
  });

  async function exerciseCalico(): Promise<void> {
    const pool = "paris-10-200-0-0-16";
    await until("subnets", async () => (await see("node", "e1"))?.metadata.annotations?.["fabedge.io/subnets"]);
    await until("the pool", () => see("ippool", pool));
    kubectl("patch", "ippool", pool, "--type=merge", '--patch={"spec":{"natOutgoing":true}}');
    await until("the pool as it was", async () => (await see("ippool", pool))?.spec?.["natOutgoing"] === false);
    await until("lyon's pool", () => kubectl("get", "ippools", "-oname").includes("10-2-0-0-16"));
    kubectl("delete", "cluster", "lyon");
    await until("lyon's pool gone", () => !kubectl("get", "ippools", "-oname").includes("10-2-0-0-16"));
  }
}, [...AUDIT_FLAGS, "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]);

function grantsOf(cni: keyof typeof GRANTS) {
  return Object.entries(GRANTS[cni]).flatMap(([namespace, table]) =>
    Object.entries(table).flatMap(([key, verbs]) => {
      const [resource = "", name] = key.split(":");
      return verbs.split(" ").map((verb) => ({ namespace, resource, name, verb }));
    }),
  );
}

/** Another cluster, as a host has it. */
function lyon(cidrs: readonly string[]): KubernetesObject {
  const endpoint = {
    id: "C=CN, O=fabedge.io, CN=lyon.connector",
    name: "lyon.connector",
    publicAddresses: ["198.51.100.9"],
    subnets: cidrs,
    nodeSubnets: ["192.168.8.1"],
    type: "Connector",
  };
  return {
    apiVersion: "fabedge.io/v1alpha1",
    kind: "Cluster",
    metadata: { name: "lyon" },
    spec: { cidrs, endpoints: [endpoint] },
  };
}
