import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { waitFor } from "../../lab/wait-for.ts";
import { mayDo, writeObject } from "../../support/account-rules.ts";
import { AUDIT_FLAGS, auditLines, refusals } from "../../support/audit-log.ts";
import { CALICO, CHART, FLANNEL, helm } from "../../support/chart.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { covers, formatGrant, type Grant, usesOf } from "../../support/grants.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import { addNode, installCalicoCrds, NAMESPACE, see } from "../../support/operator-world.ts";
import { enterPod, PodProgram } from "../../support/pod-program.ts";

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
  let program: PodProgram | undefined;

  beforeAll(async () => {
    await installCalicoCrds();
    helm(["install", ...RELEASE, "--create-namespace"], FLANNEL);
    await addNode(NODE, 100, false);
    // As the operator makes it, which does not run here.
    await applyObject({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "connector-config", namespace: NAMESPACE, labels: { "fabedge.io/name": "connector-config" } },
      data: { "tunnels.yaml": "id: CN=paris.connector\nname: paris.connector\ntype: Connector\npeers: []\n" },
    });
  });
  afterEach(async () => {
    expect((await program?.stop()) ?? 0).toBe(0);
    program = undefined;
  });

  /** The compiled program, with the command line, environment and account that its DaemonSet gives it. */
  async function start(daemonSet: string): Promise<PodProgram> {
    const found = JSON.parse(kubectl("get", "daemonset", daemonSet, `-n${NAMESPACE}`, "--output=json"));
    const spec = found.spec.template.spec as PodSpec;
    const env = { NODE_NAME: NODE, ...(await enterPod(spec)) };
    program = new PodProgram(spec.containers[0]?.args ?? [], env);
    return program;
  }

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
        const started = await start(name);
        const granted = [...expand(everywhere[cni]), ...expand(there, NAMESPACE)];
        const unused = () => {
          const uses = usesOf(auditLines(begun), user);
          return granted.filter((grant) => !uses.some((use) => covers(grant, use))).map(formatGrant);
        };
        await waitFor("every permission used", () => unused().length === 0).catch(() => {
          throw new Error(`Cannot see it use ${unused().join(", ")}: ${started.log}`);
        });
        expect(refusals(auditLines(begun), user)).toEqual([]);
      },
      60_000,
    );

    test("a connector's ConfigMap goes with its node, and its labels tell others what it is", async () => {
      expect((await see("configmap", `fabedge-connector-${NODE}`))?.metadata).toMatchObject({
        labels: { "fabedge.io/connector": NODE },
        ownerReferences: [{ kind: "Node", name: NODE, uid: (await see("node", NODE))?.metadata.uid }],
      });
    });
  });

  test("a connector may write the ConfigMap of its node and no other, though its role is for all of them", async () => {
    const bound = ["--bound-object-kind=Node", `--bound-object-name=${NODE}`];
    const token = kubectl("create", "token", "fabedge-connector", `-n${NAMESPACE}`, ...bound).trim();
    const write = (name: string, ...who: readonly string[]) => {
      const file = writeObject({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name },
        data: { "edges.json": "{}" },
      });
      const how = ["--server-side", "--force-conflicts", "--dry-run=server", `--filename=${file}`];
      return kubectl("apply", `-n${NAMESPACE}`, ...how, ...who);
    };
    const refusal = (name: string) => {
      try {
        return write(name, `--token=${token}`);
      } catch (error) {
        return String(error);
      }
    };
    // An API server takes a new policy into use some time after it was made.
    await waitFor("a refusal", () => refusal("connector-config").includes("fabedge-connector-NODE, and no other"));
    expect(refusal("fabedge-agent-config-e1")).toContain("fabedge-connector-NODE, and no other");
    expect(refusal("fabedge-connector-elsewhere")).toContain("and not another connector's");
    expect(refusal(`fabedge-connector-${NODE}`)).toContain("serverside-applied");
    expect(write("connector-config", `--as=system:serviceaccount:${NAMESPACE}:fabedge-operator`)).toContain("applied");
  });
}, [...AUDIT_FLAGS]);
