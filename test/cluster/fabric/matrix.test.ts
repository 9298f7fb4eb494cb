import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import { Fabric } from "../../lab/fabric/fabric.ts";
import { type Destination, formatMatrix, type Origin, tryAll } from "../../lab/fabric/matrix.ts";
import { PAGE_PORT } from "../../lab/fabric/page.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { testMadePods } from "./made-pods.ts";

const START_LIMIT = 180_000;
const LIMIT = 60_000;
const SETTLED = seconds(45);

const CLOUD_SERVICE = { name: "cloud-pages", ip: "10.96.0.10" };
const EDGE_SERVICE = { name: "edge-pages", ip: "10.96.0.20" };

describe("one cluster with edge nodes behind routers", () => {
  let fabric: Fabric;
  let pods: { readonly cloud: readonly Origin[]; readonly edge: readonly Origin[] };

  beforeAll(async () => {
    fabric = await Fabric.start();
    const { control, clouds, edges } = fabric.network;
    pods = {
      cloud: [control, ...clouds].map(({ name, pod }) => ({ name: `${name}'s pod`, host: pod })),
      edge: edges.map(({ name, pod }) => ({ name: `${name}'s pod`, host: pod })),
    };
    await fabric.declareService(
      CLOUD_SERVICE.name,
      CLOUD_SERVICE.ip,
      clouds.map(({ name }) => name),
    );
    await fabric.declareService(
      EDGE_SERVICE.name,
      EDGE_SERVICE.ip,
      edges.map(({ name }) => name),
    );
  }, START_LIMIT);
  afterAll(() => fabric?.[Symbol.asyncDispose]());

  const podAddresses = (nodes: readonly { name: string; podAddresses: readonly string[] }[], family: 0 | 1) =>
    nodes.map(({ name, podAddresses: addresses }) => ({ name: `${name}'s pod`, address: addresses[family] ?? "" }));
  const service = (ip: string): Destination => ({ name: ip, url: `http://${ip}` });
  const page = (name: string, address: string): Destination => ({ name, url: `http://${address}:${PAGE_PORT}` });

  /** Tunnels come by themselves: until all are reached, or the time is over. */
  async function allReach(origins: readonly Origin[], destinations: readonly Destination[]): Promise<void> {
    let table = "";
    await waitFor(
      "everybody to reach everybody",
      async () => {
        const attempts = await tryAll(origins, destinations);
        table = formatMatrix(attempts);
        return attempts.every(({ reached }) => reached);
      },
      { timeout: SETTLED },
    ).catch((error) => {
      throw new Error(`${error.message}\n${table}`);
    });
  }

  test(
    "edge pods and cloud pods reach each other by IPv4",
    async () => {
      const { control, clouds, edges } = fabric.network;
      await allReach(pods.edge, podAddresses([control, ...clouds], 0));
      await allReach(pods.cloud, podAddresses(edges, 0));
    },
    LIMIT,
  );

  test(
    "edge pods and cloud pods reach each other by IPv6",
    async () => {
      const { control, clouds, edges } = fabric.network;
      await allReach(pods.edge, podAddresses([control, ...clouds], 1));
      await allReach(pods.cloud, podAddresses(edges, 1));
    },
    LIMIT,
  );

  test(
    "edge pods reach cloud nodes, and cloud nodes edge pods",
    async () => {
      const { control, clouds, edges } = fabric.network;
      await allReach(
        pods.edge,
        [control, ...clouds].map(({ name, address }) => page(name, address)),
      );
      const nodes = [control, ...clouds].map(({ name, host }) => ({ name, host }));
      await allReach(nodes, podAddresses(edges, 0));
    },
    LIMIT,
  );

  test(
    "edge pods do not reach each other before a Community says so",
    async () => {
      const attempts = await tryAll(
        pods.edge,
        fabric.network.edges.flatMap(({ name, podAddresses: [ip] }, index) =>
          index === 0 ? [] : [{ name, address: ip }],
        ),
      );
      const strangers = attempts.filter(({ from, to }) => !from.startsWith(to));
      expect(strangers.length).toBeGreaterThan(0);
      expect(strangers.filter(({ reached }) => reached)).toEqual([]);
    },
    LIMIT,
  );

  test(
    "edge pods of one Community reach each other, by both families",
    async () => {
      await fabric.cluster.applyCommunity(
        "line",
        fabric.network.edges.map(({ name }) => name),
      );
      await allReach(pods.edge, podAddresses(fabric.network.edges, 0));
      await allReach(pods.edge, podAddresses(fabric.network.edges, 1));
    },
    LIMIT,
  );

  test(
    "edge pods reach nodes of the other edge",
    async () => {
      const [first, second] = fabric.network.edges;
      if (first === undefined || second === undefined) throw new Error("Cannot test as there are not two edges");
      await allReach([{ name: "e1's pod", host: first.pod }], [page("e2", second.address)]);
    },
    LIMIT,
  );

  test(
    "edge pods and nodes reach services of the cloud and of edges",
    async () => {
      const nodes = fabric.network.edges.map(({ name, host }) => ({ name, host }));
      await allReach([...pods.edge, ...nodes], [service(CLOUD_SERVICE.ip), service(EDGE_SERVICE.ip)]);
    },
    LIMIT,
  );

  test(
    "cloud pods and nodes reach services of edges, beside kube-proxy",
    async () => {
      const { control, clouds } = fabric.network;
      const nodes = [control, ...clouds].map(({ name, host }) => ({ name, host }));
      await allReach([...pods.cloud, ...nodes], [service(EDGE_SERVICE.ip)]);
    },
    LIMIT,
  );

  describe("pods that a container runtime makes by the agents' configurations", () => testMadePods(() => fabric));
});
