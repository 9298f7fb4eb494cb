import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type Duration, hours } from "../../../src/base/duration.ts";
import { issueAuthority } from "../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../src/certificate/private-key.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { applyObject } from "../../support/cluster-objects.ts";
import { inCluster, kubectl, readText } from "../../support/in-cluster.ts";
import {
  addNode,
  eventsOf,
  installCrds,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

const DAY = hours(24);
const NODES = ["e1", "e2", "e3"];
const AGENTS = { ...SETTINGS, agent: { ...SETTINGS.agent, mode: "pod" } } as const;

inCluster(import.meta.path, () => {
  beforeAll(async () => {
    await installCrds();
    kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE);
    await addNode("cloud1", 100, false);
    for (const [i, node] of NODES.entries()) {
      await addNode(node, i + 1);
      await addFabEdgeAgent(node);
    }
  });

  let running: RunningOperator | undefined;
  afterEach(async () => {
    await running?.close();
  });
  async function start(identity: string, settings = SETTINGS, clock = new SystemClock()): Promise<RunningOperator> {
    running = await RunningOperator.start(identity, settings, undefined, clock);
    await running.settled();
    return running;
  }

  const label = (node: string, mode: string) => kubectl("label", "node", node, `selvedge.io/agent-mode=${mode}`);
  const condition = async (node: string) =>
    (await see("node", node))?.status?.conditions?.find((each) => each["type"] === "SelvedgeReady");
  const untouched = async (node: string) =>
    (await podsOf(node)).every((pod) => pod.name === `fabedge-agent-${node}` && !pod.ending);

  describe("where FabEdge's agents run", () => {
    test("what FabEdge has written is taken over as it stands, labelled or not", async () => {
      const names = ["connector-config", "fabedge-agent-config-e1"];
      const makeAsFabEdge = async (name: string) => {
        const metadata = { name, namespace: NAMESPACE };
        await applyObject({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata,
          data: { "tunnels.yaml": "name: fabedges\n" },
        });
        return { name, uid: (await see("configmap", name))?.metadata.uid };
      };
      const made = await Promise.all(names.map(makeAsFabEdge));
      const operator = await start("heir");
      for (const { name, uid } of made) {
        await waitFor(`ours in ${name}`, async () =>
          (await see("configmap", name))?.data?.["tunnels.yaml"]?.includes("name: paris."),
        );
        expect((await see("configmap", name))?.metadata).toMatchObject({
          uid,
          labels: { "fabedge.io/created-by": "fabedge-operator" },
        });
      }
      await operator.settled();
      await operator.close();
      const again = await start("heir-again");
      expect(again.writes).toEqual([]);
    });

    test.each(["host", "pod"] as const)("none is ended or replaced when the default is %s", async (mode) => {
      const operator = await start(mode, mode === "host" ? SETTINGS : AGENTS);
      expect(operator.writes.filter((write) => write.includes("/pods"))).toEqual([]);
      for (const node of NODES) {
        await waitFor(`${node} says so`, async () => (await condition(node))?.["reason"] === "FabedgeAgent");
        expect(await condition(node)).toMatchObject({ status: "True", message: expect.stringContaining("agent-mode") });
        expect(await podsOf(node)).toHaveLength(1);
        expect(await untouched(node)).toBe(true);
      }
    });

    test("a node is moved by its label, and no other one with it", async () => {
      await start("mover");
      label("e1", "host");
      await waitFor("the end of e1's", async () => (await podsOf("e1")).every(({ ending }) => ending));
      await endPodsOf("e1");
      await waitFor("e1 is as wanted", async () => (await condition("e1"))?.["reason"] === "AsWanted");
      expect(await podsOf("e1")).toEqual([]);

      label("e2", "pod");
      await waitFor("the end of e2's", async () => (await podsOf("e2")).every(({ ending }) => ending));
      await endPodsOf("e2");
      const [successor] = await waitFor(
        "its successor",
        async () => (await podsOf("e2")).length === 1 && (await podsOf("e2")),
      );
      expect(successor?.labels).toMatchObject({ "app.kubernetes.io/managed-by": "selvedge-operator" });

      expect(await untouched("e3")).toBe(true);
      expect((await condition("e3"))?.["reason"]).toBe("FabedgeAgent");
    });

    test("an authority of FabEdge's goes on signing until the last node is moved, and the cluster says so", async () => {
      const { certificate, key } = fabedgeAuthority();
      kubectl("delete", "secret", "fabedge-ca", `-n${NAMESPACE}`);
      const data = { "ca.crt": btoa(certificate), "ca.key": btoa(key) };
      await applyObject({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "fabedge-ca", namespace: NAMESPACE },
        data,
      });
      const authority = async () => (await see("secret", "fabedge-ca"))?.data ?? {};
      const own = async () =>
        (await see("cluster", "paris"))?.status?.conditions?.find((each) => each["type"] === "Ready");
      await start("adopts");
      await waitFor("its successor", async () => (await authority())["next.crt"]);
      await waitFor("the cluster says so", async () => (await own())?.["reason"] === "AuthorityHeld");
      expect(await own()).toMatchObject({
        status: "True",
        message: expect.stringContaining("FabEdge's agents of e3 do"),
      });
      const told = async () => new Set((await eventsOf<{ reason: string }>("paris")).map(({ reason }) => reason));
      // They are told in passing: who ends has told some of them.
      await waitFor("Events of it", async () => {
        const reasons = await told();
        return ["AuthorityPrepared", "AuthorityHeld"].every((reason) => reasons.has(reason));
      });
      await running?.close();

      const later = await start("later", SETTINGS, new LaterClock(hours(9 * 24)));
      await later.settled();
      expect((await authority())["ca.crt"]).toBe(data["ca.crt"]);
      label("e3", "host");
      await waitFor("the successor signs", async () => (await authority())["previous.crt"] === data["ca.crt"]);
      expect(Object.keys(await authority()).sort()).toEqual(["ca.crt", "ca.key", "previous.crt"]);
      expect((await authority())["ca.key"]).not.toBe(data["ca.key"]);
      await waitFor("all is well", async () => (await own())?.["reason"] === "AsWanted");
      await waitFor("the last Event", async () => (await told()).has("AuthoritySwitched"));
    });

    test("an authority that cannot be used is told of at the cluster, and nodes go on with what they have", async () => {
      const secret = async () => (await see("secret", "fabedge-agent-tls-e2"))?.metadata.resourceVersion;
      const own = async () =>
        (await see("cluster", "paris"))?.status?.conditions?.find((each) => each["type"] === "Ready");
      const before = await secret();
      kubectl(
        "patch",
        "secret",
        "fabedge-ca",
        `-n${NAMESPACE}`,
        `--patch=${JSON.stringify({ data: { "ca.key": "eA==" } })}`,
      );
      await start("broken");
      await waitFor("the cluster says so", async () => (await own())?.["status"] === "False");
      expect(await own()).toMatchObject({ message: expect.stringContaining("Secret of the authority is not usable") });
      kubectl("annotate", "node", "e1", "fabedge.io/node-public-addresses=203.0.113.9");
      await waitFor("everybody else goes on", async () =>
        (await see("configmap", "fabedge-agent-config-e1"))?.data?.["tunnels.yaml"]?.includes("203.0.113.9"),
      );
      expect(await secret()).toBe(before);
    });

    test("a label that is taken off again moves the operator's own pod as the default says", async () => {
      await start("back");
      kubectl("label", "node", "e2", "selvedge.io/agent-mode-");
      await waitFor("the end of e2's", async () => (await podsOf("e2")).every(({ ending }) => ending));
      expect(await podsOf("e1")).toEqual([]);
    });
  });
});

/** The time of day of some days later. */
class LaterClock extends SystemClock {
  readonly #later: Duration;

  constructor(later: Duration) {
    super();
    this.#later = later;
  }

  override wall(): number {
    return super.wall() + this.#later;
  }
}

/** As FabEdge's cert job makes it, 200 days ago, for a year. */
function fabedgeAuthority() {
  const key = PrivateKey.generate();
  const name = { country: "CN", organization: "fabedge.io", commonName: "Fabedge CA" };
  const made = Date.now() - 200 * DAY;
  const { certificate } = issueAuthority(key, name, { notBefore: made, notAfter: made + 365 * DAY });
  return { certificate, key: key.pem() };
}

/** As FabEdge 1.0.0 labels and names it. */
async function addFabEdgeAgent(node: string): Promise<void> {
  const labels = {
    "fabedge.io/app": "fabedge-agent",
    "fabedge.io/created-by": "fabedge-operator",
    "fabedge.io/name": `fabedge-agent-${node}`,
    "fabedge.io/pod-spec-hash": "5d9c6b9f7c",
  };
  await applyObject({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `fabedge-agent-${node}`, namespace: NAMESPACE, labels },
    spec: { nodeName: node, containers: [{ name: "agent", image: "fabedge/agent:v1.0.0" }] },
  });
}

interface SeenPod {
  readonly name: string;
  readonly ending: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

async function podsOf(node: string): Promise<readonly SeenPod[]> {
  const text = await readText(`/api/v1/namespaces/${NAMESPACE}/pods?fieldSelector=spec.nodeName%3D${node}`);
  const { items } = JSON.parse(text) as {
    items: { metadata: { name: string; deletionTimestamp?: string; labels: Record<string, string> } }[];
  };
  return items.map(({ metadata: { name, deletionTimestamp, labels } }) => ({
    name,
    ending: deletionTimestamp !== undefined,
    labels,
  }));
}

/** No kubelet runs here: whoever deletes a bound pod has to say that it is over. */
async function endPodsOf(node: string): Promise<void> {
  for (const { name, ending } of await podsOf(node)) {
    if (ending) kubectl("delete", "pod", name, `-n${NAMESPACE}`, "--force", "--grace-period=0");
  }
}
