import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import { CloudConnector } from "../../lab/fabric/cloud-connector.ts";
import { FabricCluster, NAMESPACE } from "../../lab/fabric/cluster.ts";
import { reaches } from "../../lab/fabric/matrix.ts";
import { FabricNetwork } from "../../lab/fabric/network.ts";
import { PlainEdge } from "../../lab/fabric/plain-edge.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { SteadyPing } from "../../support/steady-ping.ts";

const START_LIMIT_MS = 60_000;
const LIMIT_MS = 60_000;
const PEER = "paris.connector";

describe("a connector goes on", () => {
  let network: FabricNetwork;
  let cluster: FabricCluster;
  let c1: CloudConnector;
  let edge: PlainEdge;

  beforeAll(async () => {
    network = await FabricNetwork.create({ clouds: 1, edges: 1 });
    cluster = await FabricCluster.start(network);
    const [first] = network.clouds;
    const [e1] = network.edges;
    if (first === undefined || e1 === undefined) throw new Error("The fabric is too small");
    c1 = await CloudConnector.start(cluster, first);
    edge = await PlainEdge.start(cluster, e1);
    await edge.connect(PEER);
    await waitFor("the edge's pod", () => isReached());
  }, START_LIMIT_MS);
  afterAll(() => network?.[Symbol.asyncDispose]());

  function isReached(): Promise<boolean> {
    return reaches(c1.node.pod, { name: "e1-pod", address: edge.node.podAddresses[0] });
  }

  /** Packets to the edge's pods that left the connector's node by its uplinks as they were. */
  async function countClear(): Promise<() => Promise<number>> {
    const { host } = c1.node;
    const [cidr] = edge.node.podCidrs;
    await host.output(["nft", "-f", "-"], {
      input: `table ip witness { counter clear { }
        chain out { type filter hook postrouting priority 300; ip daddr ${cidr} oifname "eth*" counter name clear; }
      }`,
    });
    return async () => {
      const listed = await host.output(["nft", "list", "counter", "ip", "witness", "clear"]);
      await host.output(["nft", "delete", "table", "ip", "witness"]);
      return Number(/packets (\d+)/.exec(listed)?.[1]);
    };
  }

  const certificates = () => c1.charon.swanctl("--list-certs", "--type", "x509");
  /** Of the connector's own certificates: the newest may be beside the one before. */
  const serialsIn = (listed: string) =>
    [...listed.matchAll(/CN=paris\.connector"\s+issuer:.*\s+validity:(?:.*\s+){3}serial: +(\S+)/g)].map(
      ([, serial]) => serial,
    );

  test(
    "with a new certificate, and loses no packet for it",
    async () => {
      const [before, ...none] = serialsIn(await certificates());
      expect([before === undefined, none]).toEqual([false, []]);
      const asking = await SteadyPing.start(c1.node.pod, edge.node.podAddresses[0]);
      // The operator makes another, with another key.
      await cluster.kubectl("delete", "secret", "connector-tls", `-n${NAMESPACE}`);
      await waitFor("another certificate in charon", async () => {
        // That of SAs that are up stays beside it, without its key.
        return serialsIn(await certificates()).some((serial) => serial !== before);
      });
      expect((await asking.stop()).lost).toBe(0);
      await edge.reconnect(PEER);
      await waitFor("the edge's pod by the new certificate", () => isReached());
    },
    LIMIT_MS,
  );

  test(
    "without an API server, also when it starts again, and when charon does and the edge comes anew",
    async () => {
      await cluster.server.kill();
      const asking = await SteadyPing.start(c1.node.pod, edge.node.podAddresses[0]);
      await c1.program.stop();
      await c1.start();
      await waitFor("what it remembers", async () => (await c1.ask("/readyz")) === "ok\n");
      expect((await asking.stop()).lost).toBe(0);

      await c1.charon.kill();
      await c1.charon.start();
      await waitFor("its connections", async () => (await c1.charon.swanctl("--list-conns")).includes("paris.e1-p2p"));
      await edge.reconnect(PEER);
      await waitFor("the edge's pod", () => isReached(), { timeout: seconds(5) });
      await cluster.server.restart();
    },
    LIMIT_MS,
  );

  test(
    "and never sends in clear what is an edge's, while charon is gone or somebody takes its routes away",
    async () => {
      const { host, pod } = c1.node;
      const [address] = edge.node.podAddresses;
      const clear = await countClear();
      const asking = await pod.spawn(["ping", "-n", "-i", "0.02", address]);
      await c1.charon.kill();
      await waitFor("that nothing comes back", async () => !(await isReached()));
      await host.output(["ip", "route", "flush", "table", "220"]);
      await host.output(["ip", "rule", "del", "pref", "220"]);
      await waitFor("the routes again", async () =>
        (await host.output(["ip", "route", "show", "table", "220"])).includes(`unreachable ${edge.node.podCidrs[0]}`),
      );
      await waitFor("the rule again", async () => (await host.output(["ip", "rule"])).includes("220:"));
      asking.signal("SIGINT");
      await asking.exited;
      expect(asking.log).toContain("packets transmitted");
      expect(await clear()).toBe(0);
    },
    LIMIT_MS,
  );
});
