import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "../../lab/wait-for.ts";
import { inCluster, kubectl } from "../../support/in-cluster.ts";
import {
  addNode,
  installCrds,
  kubectlApply,
  NAMESPACE,
  RunningOperator,
  SETTINGS,
  see,
} from "../../support/operator-world.ts";

const NODES = ["e1", "e2", "e3"];
const AGENTS = { ...SETTINGS, agent: { ...SETTINGS.agent, mode: "pod" } } as const;

inCluster(import.meta.path, () => {
  beforeAll(() => {
    installCrds();
    kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE);
    addNode("cloud1", 100, false);
    for (const [i, node] of NODES.entries()) {
      addNode(node, i + 1);
      addFabEdgeAgent(node);
    }
  });

  let running: RunningOperator | undefined;
  afterEach(async () => {
    await running?.close();
  });
  async function start(identity: string, settings = SETTINGS): Promise<RunningOperator> {
    running = await RunningOperator.start(identity, settings);
    await running.settled();
    return running;
  }

  const label = (node: string, mode: string) => kubectl("label", "node", node, `selvedge.io/agent-mode=${mode}`);
  const condition = (node: string) =>
    see("node", node)?.status?.conditions?.find((each) => each["type"] === "SelvedgeReady");
  const untouched = (node: string) => podsOf(node).every((pod) => pod.name === `fabedge-agent-${node}` && !pod.ending);

  describe("where FabEdge's agents run", () => {
    test.each(["host", "pod"] as const)("none is ended or replaced when the default is %s", async (mode) => {
      const operator = await start(mode, mode === "host" ? SETTINGS : AGENTS);
      expect(operator.writes.filter((write) => write.includes("/pods"))).toEqual([]);
      for (const node of NODES) {
        await waitFor(`${node} says so`, () => condition(node)?.["reason"] === "FabedgeAgent");
        expect(condition(node)).toMatchObject({ status: "True", message: expect.stringContaining("agent-mode") });
        expect(podsOf(node)).toHaveLength(1);
        expect(untouched(node)).toBe(true);
      }
    });

    test("a node is moved by its label, and no other one with it", async () => {
      await start("mover");
      label("e1", "host");
      await waitFor("the end of e1's", () => podsOf("e1").every(({ ending }) => ending));
      endPodsOf("e1");
      await waitFor("e1 is as wanted", () => condition("e1")?.["reason"] === "AsWanted");
      expect(podsOf("e1")).toEqual([]);

      label("e2", "pod");
      await waitFor("the end of e2's", () => podsOf("e2").every(({ ending }) => ending));
      endPodsOf("e2");
      const [successor] = await waitFor("its successor", () => podsOf("e2").length === 1 && podsOf("e2"));
      expect(successor?.labels).toMatchObject({ "app.kubernetes.io/managed-by": "selvedge-operator" });

      expect(untouched("e3")).toBe(true);
      expect(condition("e3")?.["reason"]).toBe("FabedgeAgent");
    });

    test("a label that is taken off again moves the operator's own pod as the default says", async () => {
      await start("back");
      kubectl("label", "node", "e2", "selvedge.io/agent-mode-");
      await waitFor("the end of e2's", () => podsOf("e2").every(({ ending }) => ending));
      expect(untouched("e3")).toBe(true);
    });
  });
});

/** As FabEdge 1.0.0 labels and names it. */
function addFabEdgeAgent(node: string): void {
  const labels = {
    "fabedge.io/app": "fabedge-agent",
    "fabedge.io/created-by": "fabedge-operator",
    "fabedge.io/name": `fabedge-agent-${node}`,
    "fabedge.io/pod-spec-hash": "5d9c6b9f7c",
  };
  kubectlApply({
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

function podsOf(node: string): readonly SeenPod[] {
  const text = kubectl("get", "pods", `-n${NAMESPACE}`, `--field-selector=spec.nodeName=${node}`, "--output=json");
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
function endPodsOf(node: string): void {
  for (const { name, ending } of podsOf(node)) {
    if (ending) kubectl("delete", "pod", name, `-n${NAMESPACE}`, "--force", "--grace-period=0");
  }
}
