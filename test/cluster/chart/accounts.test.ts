import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../lab/wait-for.ts";
import { mayDo } from "../../support/account-rules.ts";
import { CALICO, CHART, FLANNEL, helm } from "../../support/chart.ts";
import { covers, formatGrant, type Grant, usesOf } from "../../support/grants.ts";
import { administrator, inCluster, kubectl } from "../../support/in-cluster.ts";
import { addNode, installCalicoCrds, kubectlApply, NAMESPACE, see } from "../../support/operator-world.ts";

const PROGRAM = join(import.meta.dir, "../../../dist/selvedge-cloud-linux-x64");
/** Where a pod finds them. */
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";
const AUDIT_LOG = "/run/kubernetes/audit.log";
const RELEASE = ["fabedge", CHART, `--namespace=${NAMESPACE}`, "--values=-"];
const VALUES = { flannel: FLANNEL, calico: CALICO };
const NODE = "cloud1";

/** Worked out by hand from what each is for, without the namespace. */
const GRANTS = {
  "fabedge-connector": {
    everywhere: {
      flannel: ["/nodes list watch"],
      calico: ["/nodes list watch", "crd.projectcalico.org/ipamblocks list watch"],
    },
    there: ["/configmaps list watch create patch", "/secrets:connector-tls list watch"],
    port: 8082,
  },
  "fabedge-cloud-agent": {
    everywhere: { flannel: [], calico: [] },
    there: ["/configmaps list watch"],
    port: 8083,
  },
} as const;

function expand(grants: readonly string[], namespace = ""): readonly Grant[] {
  return grants.flatMap((grant) => {
    const [of = "", ...verbs] = grant.split(" ");
    const [resource = "", name] = of.split(":");
    return verbs.map((verb) => ({ namespace, resource, name, verb }));
  });
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly containers: readonly { readonly name: string; readonly args?: readonly string[] }[];
}

inCluster(import.meta.path, () => {
  let url: URL;
  let program: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;
  let log = "";

  beforeAll(async () => {
    const { credentials, url: server } = await administrator();
    url = new URL(server);
    installCalicoCrds();
    mkdirSync(ACCOUNT, { recursive: true });
    await Bun.write(`${ACCOUNT}/ca.crt`, (await credentials()).tls?.ca ?? "");
    helm(["install", ...RELEASE, "--create-namespace"], FLANNEL);
    addNode(NODE, 100, false);
    // As the operator makes it, which does not run here.
    kubectlApply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "connector-config", namespace: NAMESPACE, labels: { "fabedge.io/name": "connector-config" } },
      data: { "tunnels.yaml": "id: CN=paris.connector\nname: paris.connector\ntype: Connector\npeers: []\n" },
    });
  });
  afterEach(async () => {
    program?.kill("SIGTERM");
    expect(await program?.exited).toBe(0);
  });

  /** The compiled program, with the command line, environment and account that its DaemonSet gives it. */
  async function start(daemonSet: string): Promise<void> {
    const found = JSON.parse(kubectl("get", "daemonset", daemonSet, `-n${NAMESPACE}`, "--output=json"));
    const { serviceAccountName, containers } = found.spec.template.spec as PodSpec;
    await Bun.write(`${ACCOUNT}/token`, kubectl("create", "token", serviceAccountName, `-n${NAMESPACE}`).trim());
    const env = { NODE_NAME: NODE, KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port };
    const words = containers[0]?.args ?? [];
    const started = Bun.spawn([PROGRAM, ...words], { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    program = started;
    log = "";
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of started.stderr) log += decoder.decode(chunk);
    })();
  }

  const auditLines = () =>
    readFileSync(AUDIT_LOG, "utf8")
      .split("\n")
      .filter((line) => line !== "");

  describe.each(["flannel", "calico"] as const)("for %s", (cni) => {
    beforeAll(() => {
      helm(["upgrade", ...RELEASE], VALUES[cni]);
      // A connector that remembers itself does not believe at once that it is gone.
      rmSync("/run/selvedge-connector", { recursive: true, force: true });
      kubectl("delete", "configmaps", "--selector=fabedge.io/connector", `-n${NAMESPACE}`);
    });

    test.each(["fabedge-connector", "fabedge-cloud-agent"] as const)(
      "%s uses what its account may do, is refused nothing, and may do nothing besides",
      async (name) => {
        const user = `system:serviceaccount:${NAMESPACE}:${name}`;
        const { everywhere, there } = GRANTS[name];
        const anybody = mayDo("system:serviceaccount:default:anybody", "default");
        const own = (namespace: string) => mayDo(user, namespace).filter((grant) => !anybody.includes(grant));
        expect(own("kube-public").sort()).toEqual(expand(everywhere[cni]).map(formatGrant).sort());
        expect(own(NAMESPACE).sort()).toEqual(
          expand([...everywhere[cni], ...there])
            .map(formatGrant)
            .sort(),
        );

        const begun = auditLines().length;
        await start(name);
        const granted = [...expand(everywhere[cni]), ...expand(there, NAMESPACE)];
        const unused = () => {
          const uses = usesOf(auditLines().slice(begun), user);
          return granted.filter((grant) => !uses.some((use) => covers(grant, use))).map(formatGrant);
        };
        await waitFor("every permission used", () => unused().length === 0).catch(() => {
          throw new Error(`Cannot see it use ${unused().join(", ")}: ${log}`);
        });
        const refused = auditLines()
          .slice(begun)
          .filter((line) => line.includes(user) && /"code":40[13]/.test(line));
        expect(refused).toEqual([]);
      },
      60_000,
    );

    test("a connector's ConfigMap goes with its node, and its labels tell others what it is", () => {
      expect(see("configmap", `fabedge-connector-${NODE}`)?.metadata).toMatchObject({
        labels: { "fabedge.io/connector": NODE },
        ownerReferences: [{ kind: "Node", name: NODE, uid: see("node", NODE)?.metadata.uid }],
      });
    });
  });
}, [`--audit-policy-file=${join(import.meta.dir, "audit-policy.yaml")}`, `--audit-log-path=${AUDIT_LOG}`]);
