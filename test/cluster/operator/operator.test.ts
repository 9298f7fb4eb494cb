import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "../../lab/wait-for.ts";
import { inCluster, kubectl, readText } from "../../support/in-cluster.ts";
import {
  addCommunity,
  addNode,
  eventsOf,
  installCrds,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

/** What the API server makes of the priority class of this name. */
const SYSTEM_NODE_CRITICAL = 2_000_001_000;

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    await installCrds();
    kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE);
    await addNode("cloud1", 100, false);
    for (const n of [1, 2, 3]) await addNode(`e${n}`, n);
    await addCommunity("pair", ["paris.e1", "paris.e2"]);
  });

  let running: RunningOperator[] = [];
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    running = [];
  });
  async function start(identity: string, settings = SETTINGS): Promise<RunningOperator> {
    const one = await RunningOperator.start(identity, settings);
    running.push(one);
    return one;
  }

  const config = (node: string) => see("configmap", `fabedge-agent-config-${node}`);
  const tunnels = async (node: string) => Bun.YAML.parse((await config(node))?.data?.["tunnels.yaml"] ?? "") as Tunnels;
  interface Tunnels {
    readonly name: string;
    readonly publicAddresses: readonly string[];
    readonly peers: readonly { readonly name: string }[];
  }
  const ready = async (kind: string, name: string) =>
    (await see(kind, name))?.status?.conditions?.find((c) => c["type"] === "Ready");
  interface Told {
    readonly reason: string;
    readonly note: string;
    readonly type: string;
  }

  describe("an operator", () => {
    test("gives every edge node its ConfigMap and its certificate, owned by the Node, and the connector its own", async () => {
      const operator = await start("a");
      await operator.settled();
      await waitFor("all Secrets", async () =>
        (await Promise.all(["e1", "e2", "e3"].map((node) => see("secret", `fabedge-agent-tls-${node}`)))).every(
          Boolean,
        ),
      );
      expect((await tunnels("e1")).peers.map(({ name }) => name)).toEqual(["paris.connector", "paris.e2"]);
      expect((await tunnels("e3")).peers.map(({ name }) => name)).toEqual(["paris.connector"]);
      const owner = { kind: "Node", name: "e1", uid: (await see("node", "e1"))?.metadata.uid };
      expect((await config("e1"))?.metadata.ownerReferences).toMatchObject([owner]);
      expect((await see("secret", "fabedge-agent-tls-e1"))?.metadata.ownerReferences).toMatchObject([owner]);
      const connector = Bun.YAML.parse(
        (await see("configmap", "connector-config"))?.data?.["tunnels.yaml"] ?? "",
      ) as Tunnels;
      expect(connector.peers.map(({ name }) => name).sort()).toEqual(["paris.e1", "paris.e2", "paris.e3"]);
      expect(await see("secret", "connector-tls")).toBeDefined();
    });

    test("issues what openssl believes, under the name of FabEdge's", async () => {
      const { data } = (await see("secret", "fabedge-agent-tls-e1")) ?? {};
      for (const key of ["tls.crt", "ca.crt", "tls.key"]) {
        Bun.spawnSync(["tee", `/run/kubernetes/${key}`], { stdin: Buffer.from(data?.[key] ?? "", "base64") });
      }
      const openssl = (...argv: string[]) => {
        const { stdout, exitCode, stderr } = Bun.spawnSync(["openssl", ...argv], { cwd: "/run/kubernetes" });
        if (exitCode !== 0) throw new Error(stderr.toString());
        return stdout.toString();
      };
      expect(openssl("verify", "-CAfile", "ca.crt", "tls.crt")).toContain("tls.crt: OK");
      expect(openssl("x509", "-in", "tls.crt", "-noout", "-subject")).toContain(
        "C = CN, O = fabedge.io, CN = paris.e1",
      );
      const keyOf = openssl("pkey", "-in", "tls.key", "-pubout");
      expect(openssl("x509", "-in", "tls.crt", "-noout", "-pubkey")).toBe(keyOf);
    });

    test("writes nothing when it starts again and nothing has changed", async () => {
      const operator = await start("b");
      await operator.settled();
      expect(operator.writes).toEqual([]);
    });

    test("writes only what depends on a change", async () => {
      const operator = await start("c");
      await operator.settled();
      kubectl("annotate", "node", "e1", "fabedge.io/node-public-addresses=203.0.113.7");
      await waitFor("the new address", async () => (await tunnels("e1")).publicAddresses.includes("203.0.113.7"));
      await operator.settled();
      expect([...operator.writes].sort()).toEqual(
        ["connector-config", "fabedge-agent-config-e1", "fabedge-agent-config-e2"].map(
          (name) => `PATCH v1/namespaces/fabedge/configmaps/${name}`,
        ),
      );
    });

    test("says in its log which kind it may not read, and why, and begins when it may", async () => {
      let refused = true;
      const operator = await RunningOperator.start("l", SETTINGS, ({ path }) =>
        refused && path.includes("/communities") ? { kind: "answer", status: 403 } : { kind: "pass" },
      );
      running.push(operator);
      const unread = () => operator.log.filter(({ event }) => event === "kube.unread");
      await waitFor("it says so", () => unread().length > 0);
      expect(unread()).toMatchObject([{ level: "warn", fields: { name: "Community", code: "KUBE_FORBIDDEN" } }]);
      expect(operator.operator.status.planned).toBe(false);
      refused = false;
      await operator.leads();
    });

    test("says of a Community what is wrong with it, in its status and in an Event, and that it is right again", async () => {
      const operator = await start("d");
      await operator.settled();
      await waitFor("it is ready", async () => (await ready("community", "pair"))?.["status"] === "True");
      await addCommunity("pair", ["paris.e1", "paris.e2", "paris.nobody"]);
      await waitFor("the condition", async () =>
        (await ready("community", "pair"))?.["message"]?.includes("paris.nobody"),
      );
      expect(await ready("community", "pair")).toMatchObject({ status: "True", reason: "MemberUnknown" });
      const told = await waitFor("the Event", async () =>
        (await eventsOf<Told>("pair")).find((event) => event.reason === "MemberUnknown"),
      );
      expect(told).toMatchObject({ type: "Warning", note: expect.stringContaining("paris.nobody") });
      await addCommunity("pair", ["paris.e1", "paris.e2"]);
      await waitFor("it is as wanted", async () => (await ready("community", "pair"))?.["reason"] === "AsWanted");
    });

    test("puts back what somebody changes, deletes or takes away, and leaves alone what somebody adds", async () => {
      const operator = await start("e");
      await operator.settled();
      const before = (await config("e1"))?.data;
      kubectl(
        "patch",
        "configmap",
        "fabedge-agent-config-e1",
        `-n${NAMESPACE}`,
        '--patch={"data":{"tunnels.yaml":"x"}}',
      );
      await waitFor("it is back", async () => Bun.deepEquals((await config("e1"))?.data, before));
      kubectl("delete", "configmap", "fabedge-agent-config-e2", `-n${NAMESPACE}`);
      await waitFor("it is there again", () => config("e2"));
      const serial = (await see("secret", "fabedge-agent-tls-e1"))?.data?.["tls.crt"];
      kubectl("patch", "secret", "fabedge-agent-tls-e1", `-n${NAMESPACE}`, '--patch={"data":{"tls.key":"eA=="}}');
      await waitFor("another certificate, with its key", async () => {
        const { data } = (await see("secret", "fabedge-agent-tls-e1")) ?? {};
        return data?.["tls.key"] !== "eA==" && data?.["tls.crt"] !== serial;
      });
      await operator.settled();
      const writes = operator.writes.length;
      kubectl("label", "configmap", "fabedge-agent-config-e1", `-n${NAMESPACE}`, "somebody.io/was=here");
      kubectl("annotate", "node", "e3", "somebody.io/was=here");
      await waitFor("it has seen it", () => operator.proxy.seen.length > 0);
      await operator.settled();
      expect(operator.writes.slice(writes)).toEqual([]);
      expect((await config("e1"))?.metadata.labels).toMatchObject({ "somebody.io/was": "here" });
    });

    test("takes away what belongs to a node that is an edge node no longer, and nothing else", async () => {
      const operator = await start("f");
      await operator.settled();
      kubectl("label", "node", "e3", "node-role.kubernetes.io/edge-");
      await waitFor(
        "they are gone",
        async () => (await config("e3")) === undefined && (await see("secret", "fabedge-agent-tls-e3")) === undefined,
      );
      expect(await config("e1")).toBeDefined();
      kubectl("label", "node", "e3", "node-role.kubernetes.io/edge=");
      await waitFor(
        "they are there again",
        async () => (await config("e3")) && (await see("secret", "fabedge-agent-tls-e3")),
      );
    });

    interface Pod {
      readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
      readonly spec: { readonly nodeName: string };
    }
    /** Asked while the operator of this process goes on working: kubectl would be waited for. */
    const pods = async () =>
      (JSON.parse(await readText(`/api/v1/namespaces/${NAMESPACE}/pods`)).items as Pod[]).toSorted((a, b) =>
        a.spec.nodeName < b.spec.nodeName ? -1 : 1,
      );
    const uids = (list: readonly Pod[]) => list.map(({ metadata }) => metadata.uid);

    test("keeps one agent pod on each node in pod mode, and replaces it when its spec changes", async () => {
      const operator = await start("g", { ...SETTINGS, agent: { ...SETTINGS.agent, mode: "pod" } });
      await waitFor("three pods", async () => (await pods()).length === 3);
      const before = await pods();
      await operator.settled();
      kubectl("annotate", "node", "e1", "argument.fabedge.io/log-level=5");
      const [old] = await waitFor("the end of the first", async () => {
        const [first] = await pods();
        return first?.metadata.deletionTimestamp !== undefined && [first];
      });
      // No kubelet runs here: whoever deletes a bound pod has to say that it is over.
      kubectl("delete", "pod", old.metadata.name, `-n${NAMESPACE}`, "--force", "--grace-period=0");
      const after = await waitFor("another pod", async () => {
        const now = await pods();
        return now.length === 3 && !uids(now).includes(old.metadata.uid) && now;
      });
      expect(old.spec.nodeName).toBe("e1");
      expect(uids(after).slice(1)).toEqual(uids(before).slice(1));
    });

    test("puts another agent pod in the place of one that has ended for good, as when its node was shut down", async () => {
      const operator = await start("h", { ...SETTINGS, agent: { ...SETTINGS.agent, mode: "pod" } });
      await operator.settled();
      const podOf = async (node: string) => (await pods()).find(({ spec }) => spec.nodeName === node);
      const { name = "", uid } = (await podOf("e2"))?.metadata ?? {};
      const patch = JSON.stringify({ status: { phase: "Failed", reason: "Terminated" } });
      kubectl("patch", "pod", name, `-n${NAMESPACE}`, "--subresource=status", "--type=merge", `--patch=${patch}`);
      const successor = await waitFor("its successor", async () => {
        const pod = await podOf("e2");
        return pod !== undefined && pod.metadata.uid !== uid && pod;
      });
      expect(successor).toMatchObject({ status: { phase: "Pending" }, spec: { priority: SYSTEM_NODE_CRITICAL } });
    });

    test("replaces agents that work one after the other, as the successor of each becomes ready", async () => {
      const agent = { ...SETTINGS.agent, mode: "pod" } as const;
      const before = await start("i", { ...SETTINGS, agent });
      await waitFor("three pods", async () => (await pods()).length === 3);
      const conditions = [{ type: "Ready", status: "True" }];
      const ready = (kind: string, name: string) =>
        kubectl(
          ...["patch", kind, name, `-n${NAMESPACE}`, "--subresource=status", "--type=merge"],
          `--patch=${JSON.stringify({ status: { conditions } })}`,
        );
      // The third one's does not work already, of which whoever leads before it has seen a pod does not know.
      for (const { metadata, spec } of await pods()) {
        ready("node", spec.nodeName);
        if (spec.nodeName !== "e3") ready("pod", metadata.name);
      }
      await before.close();
      let leads = () => false;
      const settings = { ...SETTINGS, agent: { ...agent, image: "selvedge:2" } };
      const operator = await RunningOperator.start("j", settings, ({ path }) =>
        path.includes("/pods?") && !leads() ? { kind: "answer", status: 503 } : { kind: "pass" },
      );
      running.push(operator);
      leads = () => operator.operator.status.leading;
      const replaced: string[] = [];
      while (replaced.length < 3) {
        const old = await waitFor("one that ends", async () =>
          (await pods()).find(({ metadata }) => metadata.deletionTimestamp !== undefined),
        );
        await operator.settled();
        expect((await pods()).filter(({ metadata }) => metadata.deletionTimestamp !== undefined)).toHaveLength(1);
        kubectl("delete", "pod", old.metadata.name, `-n${NAMESPACE}`, "--force", "--grace-period=0");
        const { nodeName } = old.spec;
        const successor = await waitFor("its successor", async () =>
          (await pods()).find(({ metadata, spec }) => spec.nodeName === nodeName && metadata.uid !== old.metadata.uid),
        );
        await operator.settled();
        expect((await pods()).filter(({ metadata }) => metadata.deletionTimestamp !== undefined)).toEqual([]);
        replaced.push(nodeName);
        ready("pod", successor.metadata.name);
      }
      expect(replaced[0]).toBe("e3");
      expect(replaced.toSorted()).toEqual(["e1", "e2", "e3"]);
      expect(operator.log.filter(({ event }) => event === "operator.rollout")).toHaveLength(1);
    });
  });
});
