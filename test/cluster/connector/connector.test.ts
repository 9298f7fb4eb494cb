import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import { parsePublicationText } from "../../../src/kube/objects/connector-publication.ts";
import { CloudConnector } from "../../lab/fabric/cloud-connector.ts";
import { FabricCluster, NAMESPACE } from "../../lab/fabric/cluster.ts";
import { reaches } from "../../lab/fabric/matrix.ts";
import { type CloudNode, FabricNetwork } from "../../lab/fabric/network.ts";
import { PlainEdge } from "../../lab/fabric/plain-edge.ts";
import type { Host } from "../../lab/host.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { SteadyPing } from "../../support/steady-ping.ts";

const START_LIMIT_MS = 60_000;
const LIMIT_MS = 40_000;
const PEER = "paris.connector";
const EDGE = "paris.e1";

describe("two connectors and a plain strongSwan that goes from one to the other", () => {
  let network: FabricNetwork;
  let cluster: FabricCluster;
  let c1: CloudConnector;
  let c2: CloudConnector;
  let edge: PlainEdge;

  beforeAll(async () => {
    network = await FabricNetwork.create({ clouds: 2, edges: 1 });
    cluster = await FabricCluster.start(network);
    const [first, second] = network.clouds;
    const [e1] = network.edges;
    if (first === undefined || second === undefined || e1 === undefined) throw new Error("The fabric is too small");
    [c1, c2] = await Promise.all([CloudConnector.start(cluster, first), CloudConnector.start(cluster, second)]);
    edge = await PlainEdge.start(cluster, e1);
  }, START_LIMIT_MS);
  afterAll(() => network?.[Symbol.asyncDispose]());

  /** What the connector of that node has said of the edge. */
  async function claimOf(node: CloudNode): Promise<number | undefined> {
    const name = `fabedge-connector-${node.name}`;
    const get = ["get", "configmap", name, `-n${NAMESPACE}`, "-ojsonpath={.data.edges\\.json}"];
    const published = parsePublicationText(await cluster.kubectl(...get), node.name);
    if (!published.ok) throw new Error(`${name}: ${published.error.at}: ${published.error.why}`);
    return published.value.edges.find((claim) => claim.name === EDGE)?.claim;
  }

  function ping(from: Host, address: string): Promise<boolean> {
    return reaches(from, { name: address, address });
  }

  test(
    "are reached from the edge's pod, and reach it, by either family and through the connector that has no tunnel",
    async () => {
      await edge.connect(PEER, c1.node.publicAddress);
      await waitFor("the claim", async () => (await claimOf(c1.node)) === 1);
      const [pod4, pod6] = edge.node.podAddresses;
      for (const from of [c1.node.pod, c2.node.pod]) {
        await waitFor(`an echo of ${pod4}`, () => ping(from, pod4), { timeout: seconds(5) });
        expect(await ping(from, pod6)).toBe(true);
      }
      for (const { pod, podAddresses } of [c1.node, c2.node]) {
        expect(pod.name).toBeDefined();
        for (const address of podAddresses)
          expect([address, await ping(edge.node.pod, address)]).toEqual([address, true]);
      }
    },
    LIMIT_MS,
  );

  test(
    "carry packets between nodes and pods as FabEdge's does",
    async () => {
      // Pods of the edge and a cloud node's own address, and the edge's own address and pods of the cloud.
      expect(await ping(edge.node.pod, c1.node.address)).toBe(true);
      expect(await ping(edge.node.pod, c2.node.address)).toBe(true);
      expect(await ping(edge.node.host, c1.node.podAddresses[0])).toBe(true);
      expect(await ping(edge.node.host, c2.node.podAddresses[0])).toBe(true);
      expect(await ping(c1.node.pod, edge.node.address)).toBe(true);
      expect(await ping(c2.node.pod, edge.node.address)).toBe(true);
      expect(await ping(c1.node.host, edge.node.podAddresses[0])).toBe(true);
    },
    LIMIT_MS,
  );

  test(
    "lose no packet when a connector's program starts again",
    async () => {
      const asking = await SteadyPing.start(c2.node.pod, edge.node.podAddresses[0]);
      await c1.program.stop();
      await c1.start();
      await waitFor("the claim that stays", async () => (await claimOf(c1.node)) === 1);
      expect((await asking.stop()).lost).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    "follow the edge to the other connector within a second",
    async () => {
      await edge.connect(PEER, c2.node.publicAddress);
      const moved = performance.now();
      const [pod] = edge.node.podAddresses;
      // Until it is said, an echo may still have come by the old way.
      await waitFor("the claim", async () => (await claimOf(c2.node)) === 2);
      await waitFor("an echo by the other way", () => ping(c1.node.pod, pod), { timeout: seconds(5) });
      console.log(`claimed and reached ${Math.round(performance.now() - moved)} ms after the last child`);
      await waitFor("the end of the old claim", async () => (await claimOf(c1.node)) === undefined);
      expect(await c1.node.host.output(["ip", "route", "get", pod])).toContain("via 10.244.2.0 dev flannel.1");
      await waitFor("the end of the old SA", async () => !(await c1.charon.swanctl("--list-sas")).includes(EDGE));
    },
    LIMIT_MS,
  );

  test(
    "say nothing of an edge any more when charon has gone with its connector",
    async () => {
      await Promise.all([c2.charon.stop(), c2.program.stop()]);
      await waitFor("the end of the claim", async () => (await claimOf(c2.node)) === undefined);
      await waitFor("to be told that nobody is there", async () => {
        const { stdout } = await c1.node.pod.run(["ping", "-n", "-c", "1", "-W", "2", edge.node.podAddresses[0]]);
        return /Unreachable/i.test(stdout);
      });
    },
    LIMIT_MS,
  );
});
