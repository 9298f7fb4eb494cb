import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { packagedChart } from "../../support/chart.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl, toolPath } from "../../support/in-cluster.ts";
import { addNode, installCalicoCrds, NAMESPACE, see } from "../../support/operator-world.ts";

const QUICKSTART = join(import.meta.dir, "../../../scripts/quickstart");
const PROGRAMS = "/run/programs";
const NEEDED = ["--cluster-name=paris", "--connector-public-addresses=198.51.100.1,198.51.100.2"];

/** As it is given away. */
let chart = "";

function quickstart(...words: readonly string[]) {
  const kubeconfig = process.env["SELVEDGE_TEST_KUBECONFIG"];
  // Its programs end before anything is worth collecting.
  const env = { PATH: `${PROGRAMS}:/usr/bin:/bin`, HOME: "/run", KUBECONFIG: kubeconfig, GOGC: "off" };
  const { exitCode, stdout, stderr } = Bun.spawnSync([QUICKSTART, `--chart=${chart}`, ...words], { env });
  return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** The lines below "To be done:". */
function plan(...words: readonly string[]): readonly string[] {
  const { code, stdout, stderr } = quickstart(...NEEDED, ...words);
  if (code !== 0) throw new Error(stderr + stdout);
  const [, steps = ""] = stdout.split("To be done:\n");
  return steps.split("\n").flatMap((line) => (line.startsWith("  ") ? [line.trim()] : []));
}

/** Values of the plan's helm command: "cluster.name=paris". */
function valuesOf(steps: readonly string[]): readonly string[] {
  const install = steps.find((step) => step.startsWith("helm upgrade --install")) ?? "";
  return [...install.matchAll(/--set (\S+)/g)].map(([, value = ""]) => value.replaceAll("\\", ""));
}

async function addDaemonSet(namespace: string, name: string, affinity?: object): Promise<void> {
  const labels = { app: name };
  const spec = { ...(affinity && { affinity }), containers: [{ name, image: name }] };
  await applyObject({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { namespace, name },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
}

async function addConfigMap(namespace: string, name: string, data: Readonly<Record<string, string>>): Promise<void> {
  await applyObject({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data });
}

/** As kubeadm's kubelet shows one of a control plane. */
async function addStaticPod(component: string, options: readonly string[]): Promise<void> {
  const command = [component, ...options];
  await applyObject({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "kube-system",
      name: `${component}-cloud1`,
      labels: { component, tier: "control-plane" },
      annotations: { "kubernetes.io/config.source": "file" },
    },
    spec: {
      nodeName: "cloud1",
      hostNetwork: true,
      containers: [{ name: component, image: `registry.k8s.io/${component}:v1.34.4`, command }],
    },
  });
}

/** Where its pods may go, one list of expressions for each alternative. */
function termsOf(namespace: string, name: string): unknown {
  const found = JSON.parse(kubectl("get", "daemonset", name, `-n${namespace}`, "--output=json"));
  const { affinity } = found.spec.template.spec;
  return affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
}

const NOT_ON_EDGES = { key: "node-role.kubernetes.io/edge", operator: "DoesNotExist" };
const ON_LINUX = { key: "kubernetes.io/os", operator: "In", values: ["linux"] };

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    chart = packagedChart();
    mkdirSync(PROGRAMS, { recursive: true });
    for (const name of ["kubectl", "helm"]) symlinkSync(toolPath(name), join(PROGRAMS, name));
    for (const [name, n] of [
      ["cloud1", 100],
      ["e1", 1],
      ["e2", 2],
    ] as const)
      await addNode(name, n, false);
  });

  describe("quickstart", () => {
    test("refuses what it does not know or cannot tell, before it does anything", () => {
      expect(quickstart("--cluster-name=paris")).toMatchObject({ code: 2 });
      expect(quickstart(...NEEDED, "--nonsense=1").stderr).toContain('There is no option "--nonsense".');
      expect(quickstart(...NEEDED, "--edges").stderr).toContain("--edges needs a value.");
      expect(quickstart(...NEEDED).stderr).toContain("found neither flannel nor calico. Say --cni-type.");
      expect(quickstart(...NEEDED, "--cni-type=flannel").stderr).toContain("Say --cluster-cidr.");
      const wrong = quickstart(...NEEDED, "--cni-type=flannel", "--cluster-cidr=10.1.0.0");
      expect(wrong.stderr).toContain("'/cluster/clusterCIDR/0'");
      expect(wrong.code).not.toBe(0);
      expect(quickstart(...NEEDED, "--cni-type=flannel", "--cluster-cidr=10.1.0.0/16", "--edges=e9").stderr).toContain(
        "Cannot label node e9 as it is not there.",
      );
    });

    test("finds k3s, its flannel, and its networks, said or not", () => {
      const version = { status: { nodeInfo: { kubeletVersion: "v1.34.4+k3s1" } } };
      kubectl("patch", "node", "cloud1", "--subresource=status", "--type=merge", `--patch=${JSON.stringify(version)}`);
      kubectl("annotate", "node", "cloud1", "flannel.alpha.coreos.com/backend-type=vxlan");
      expect(valuesOf(plan())).toEqual([
        "cluster.name=paris",
        "cluster.role=host",
        "cluster.cniType=flannel",
        "cluster.clusterCIDR={10.42.0.0/16}",
        // What this API server says of itself.
        "cluster.serviceClusterIPRange={10.96.0.0/16,fd00:10:96::/112}",
        "cluster.connectorPublicAddresses={198.51.100.1,198.51.100.2}",
        "agent.args.ENABLE_PROXY=false",
        "agent.args.ENABLE_DNS=false",
      ]);
      const said = JSON.stringify(["server", "--cluster-cidr", "10.52.0.0/16", "--service-cidr=10.53.0.0/16"]);
      kubectl("annotate", "node", "cloud1", `k3s.io/node-args=${said}`);
      expect(valuesOf(plan())).toContain("cluster.clusterCIDR={10.52.0.0/16}");
    });

    test("finds kubeadm's cluster with flannel and KubeEdge, and says what it would do without doing it", async () => {
      kubectl("annotate", "node", "cloud1", "k3s.io/node-args-", "flannel.alpha.coreos.com/backend-type-");
      const version = { status: { nodeInfo: { kubeletVersion: "v1.34.4" } } };
      kubectl("patch", "node", "cloud1", "--subresource=status", "--type=merge", `--patch=${JSON.stringify(version)}`);
      for (const name of ["kubeedge", "kube-flannel"]) kubectl("create", "namespace", name);
      await addConfigMap("kube-system", "kubeadm-config", {
        ClusterConfiguration:
          "networking:\n  dnsDomain: cluster.local\n  podSubnet: 10.1.0.0/16,fd00:1::/56\n  serviceSubnet: 10.96.0.0/12\n",
      });
      const linux = {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [ON_LINUX] }] },
      };
      await addDaemonSet("kube-flannel", "kube-flannel-ds", { nodeAffinity: linux });
      await addDaemonSet("kube-system", "kube-proxy");
      const steps = plan("--edges=e1,e2", "--connectors", "cloud1", "--cluster-region=north", "--init-token=x");
      expect(steps.filter((step) => !step.startsWith("helm")).map((step) => step.replace(/ --type.*/, ""))).toEqual([
        "kubectl label node e1 node-role.kubernetes.io/edge= --overwrite",
        "kubectl label node e2 node-role.kubernetes.io/edge= --overwrite",
        "kubectl label node cloud1 node-role.kubernetes.io/connector= --overwrite",
        "kubectl patch daemonset kube-flannel-ds -n kube-flannel",
        "kubectl patch daemonset kube-proxy -n kube-system",
      ]);
      expect(valuesOf(steps)).toEqual(
        expect.arrayContaining([
          "cluster.clusterCIDR={10.1.0.0/16,fd00:1::/56}",
          "cluster.serviceClusterIPRange={10.96.0.0/12}",
          "cluster.region=north",
          "agent.args.ENABLE_PROXY=true",
          "agent.args.ENABLE_DNS=true",
        ]),
      );
      expect(quickstart(...NEEDED, "--init-token=x").stdout).toContain("--init-token does nothing here.");
      expect((await see("node", "e1"))?.metadata.labels ?? {}).not.toHaveProperty(["node-role.kubernetes.io/edge"]);
      expect(await see("deployment", "fabedge-operator")).toBeUndefined();
    });

    test("does what it said with --yes, and when it is asked again, no more than an upgrade", async () => {
      const { code, stdout, stderr } = quickstart(...NEEDED, "--edges=e1,e2", "--connectors=cloud1", "--yes");
      expect(stderr).toBe("");
      expect(stdout).toContain("STATUS: deployed");
      expect(code).toBe(0);
      expect((await see("node", "e2"))?.metadata.labels).toMatchObject({ "node-role.kubernetes.io/edge": "" });
      expect(termsOf("kube-flannel", "kube-flannel-ds")).toEqual([{ matchExpressions: [ON_LINUX, NOT_ON_EDGES] }]);
      expect(termsOf("kube-system", "kube-proxy")).toEqual([{ matchExpressions: [NOT_ON_EDGES] }]);
      expect(await see("deployment", "fabedge-operator")).toBeDefined();
      const again = plan();
      expect(again.map((step) => step.replace(/^(\S+ \S+ \S+).*/, "$1"))).toEqual([
        "helm show crds",
        "helm upgrade --install",
      ]);
      expect(quickstart(...NEEDED, "--yes").code).toBe(0);
    });

    test("finds networks where flannel keeps them, as its manifest writes them", async () => {
      kubectl("delete", "configmap", "kubeadm-config", "-nkube-system");
      await addConfigMap("kube-flannel", "kube-flannel-cfg", {
        "cni-conf.json": '{\n  "name": "cbr0",\n  "cniVersion": "0.3.1"\n}\n',
        "net-conf.json":
          '{\n  "Network": "10.244.0.0/16",\n  "EnableIPv6": true,\n  "IPv6Network": "2001:cafe:42::/56",\n  "EnableNFTables": false,\n  "Backend": {\n    "Type": "vxlan"\n  }\n}\n',
      });
      expect(valuesOf(plan())).toContain("cluster.clusterCIDR={10.244.0.0/16,2001:cafe:42::/56}");
    });

    test("finds networks in the arguments of static pods, before what flannel says", async () => {
      kubectl("create", "serviceaccount", "default", "--namespace=kube-system");
      await addStaticPod("kube-controller-manager", [
        "--allocate-node-cidrs=true",
        "--bind-address=127.0.0.1",
        "--cluster-cidr=10.233.64.0/18,fd85:ee78:d8a6:8607::1:0000/112",
        "--cluster-name=cluster.local",
        "--service-cluster-ip-range=10.233.0.0/18",
      ]);
      await addStaticPod("kube-apiserver", [
        "--secure-port=6443",
        "--service-cluster-ip-range=10.233.0.0/18,fd85::/116",
      ]);
      expect(valuesOf(plan())).toEqual(
        expect.arrayContaining([
          "cluster.clusterCIDR={10.233.64.0/18,fd85:ee78:d8a6:8607::1:0000/112}",
          "cluster.serviceClusterIPRange={10.233.0.0/18,fd85::/116}",
        ]),
      );
    });

    test("finds SuperEdge and its edge nodes", async () => {
      kubectl("label", "node", "--all", "node-role.kubernetes.io/edge-");
      kubectl("delete", "namespace", "kubeedge", "--wait=false");
      kubectl("create", "namespace", "edge-system");
      kubectl("label", "node", "e1", "superedge.io/edge-node=enable");
      await addDaemonSet("edge-system", "application-grid-wrapper-node");
      const { stdout } = quickstart(...NEEDED);
      expect(stdout).toMatch(/edge framework {6}(?:KubeEdge )?SuperEdge\n/);
      expect(stdout).toMatch(/edge nodes {10}e1\n/);
      expect(plan()[0]).toBe("kubectl label node e1 node-role.kubernetes.io/edge= --overwrite");
      kubectl("label", "node", "e1", "superedge.io/edge-node-");
      for (const name of ["kube-controller-manager", "kube-apiserver"]) {
        kubectl("delete", "pod", `${name}-cloud1`, "-nkube-system", "--force", "--grace-period=0");
      }
      kubectl("delete", "configmap", "kube-flannel-cfg", "-nkube-flannel");
    });

    test("finds calico and OpenYurt's edge nodes, and asks for a network for their pods", async () => {
      kubectl("delete", "daemonset", "kube-flannel-ds", "-nkube-flannel");
      kubectl("label", "node", "e2", "openyurt.io/is-edge-worker=true");
      await addDaemonSet("kube-system", "calico-node");
      await installCalicoCrds();
      const pool = async (name: string, cidr: string, labels: object) =>
        await applyObject({
          apiVersion: "crd.projectcalico.org/v1",
          kind: "IPPool",
          metadata: { name, labels },
          spec: { cidr },
        });
      await pool("default-ipv4-ippool", "10.233.64.0/18", {});
      await pool("ours", "10.200.0.0/16", { "fabedge.io/created-by": "fabedge-operator" });
      const refused = quickstart(...NEEDED);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("pods have 10.233.64.0/18, services have 10.96.0.0/16,fd00:10:96::/112");
      const steps = plan("--edge-pod-cidr=10.200.0.0/16", "--edge-cidr-mask-size=26");
      expect(steps[0]).toBe("kubectl label node e2 node-role.kubernetes.io/edge= --overwrite");
      expect(valuesOf(steps)).toEqual(
        expect.arrayContaining([
          "cluster.cniType=calico",
          "cluster.clusterCIDR={10.233.64.0/18}",
          "cluster.edgePodCIDR=10.200.0.0/16",
          "cluster.edgeCIDRMaskSize=26",
        ]),
      );
    });

    test("leaves FabEdge's own operator alone", () => {
      kubectl(
        "label",
        "deployment",
        "fabedge-operator",
        `-n${NAMESPACE}`,
        "helm.sh/chart=fabedge-1.0.0",
        "--overwrite",
      );
      expect(quickstart(...NEEDED, "--yes").stderr).toContain("Cannot install over FabEdge's operator");
    });
  });
});
