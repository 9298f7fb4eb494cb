import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { reaches } from "../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode, FabricNode } from "../lab/fabric/network.ts";
import type { Host } from "../lab/host.ts";
import { PlainConnector } from "../lab/plain-connector.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ip } from "../support/network-objects.ts";
import { CONNECTOR, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

/** Of the nodes behind both routers. */
const SHARED = "192.168.1.10";

let world: TunnelWorld;
let e1: EdgeNode;
let e2: EdgeNode;
let cloud: CloudNode;

beforeAll(async () => {
  world = await TunnelWorld.create();
  [e1, e2, cloud] = [world.edge(1), world.edge(2), world.cloud(1)];
  await moveIntoTheSameNetwork(e2);
  const [own, edges] = [world.connectorEndpoint(cloud), [e1, e2].map((edge) => endpoint(edge))];
  const { certificates } = world;
  await PlainConnector.start(cloud.host, own, edges, certificates.issue(CONNECTOR), certificates.authority);
  await Promise.all([e1, e2].map((edge) => world.certify(edge)));
  // As the operator has it where nobody has told their routers' addresses.
  const nearby = (edge: TunnelEndpoint) => ({ ...edge, publicAddresses: [SHARED] });
  await configure(nearby(endpoint(e1)), nearby(endpoint(e2, [])));
  await Promise.all([e1, e2].map((edge) => world.startCharonAndAgent(edge)));
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

async function moveIntoTheSameNetwork({ host, router, address }: EdgeNode): Promise<void> {
  await router.ip(`address del ${address.replace(/10$/, "1")}/24 dev eth1`, "address add 192.168.1.1/24 dev eth1");
  await host.ip(`address del ${address}/24 dev eth0`, `address add ${SHARED}/24 dev eth0`);
  await host.ip("route add default via 192.168.1.1");
  await router.output(["nft", "-f", "-"], {
    input: `flush chain ip nat in
      add rule ip nat in iif eth0 udp dport { 500, 4500 } dnat to ${SHARED}`,
  });
}

function endpoint(edge: EdgeNode, nodeSubnets: readonly string[] = [SHARED]): TunnelEndpoint {
  return { ...world.endpoint(edge), nodeSubnets: nodeSubnets.map(ip) };
}

async function configure(first: TunnelEndpoint, second: TunnelEndpoint): Promise<void> {
  const connector = world.connectorEndpoint(cloud);
  await world.configure(e1, [connector, second], first);
  await world.configure(e2, [connector, first], second);
}

/** Until everybody is reached, or the time is over. */
async function reachAll(pairs: readonly (readonly [Host, FabricNode])[]): Promise<void> {
  const missing = new Set(pairs);
  await waitFor("everybody", async () => {
    for (const pair of missing) {
      const [from, { name, podAddresses }] = pair;
      if (await reaches(from, { name, address: podAddresses[0] })) missing.delete(pair);
    }
    if (missing.size > 0)
      throw new Error([...missing].map(([from, to]) => `${from.name} misses ${to.name}`).join(", "));
    return true;
  });
}

/** Everybody's pods, as seen from another node's pods. */
const podPairs = () =>
  [e1, e2, cloud].flatMap((from) => [e1, e2, cloud].filter((to) => to !== from).map((to) => [from.pod, to] as const));

describe("two edge nodes with one address", () => {
  test(
    "wait for each other as long as nothing but that address is known of them",
    async () => {
      await Promise.all([tunnelUp(e1, CONNECTOR), tunnelUp(e2, CONNECTOR)]);
      const trouble = async () => (await tunnelsOf(e1)).find(({ peer }) => peer === "paris.e2")?.trouble?.code;
      await waitFor("patience", async () => (await trouble()) === "TUNNEL_WAITING");
    },
    seconds(120),
  );

  test(
    "reach all pods themselves where it is said to be the first one's",
    async () => {
      await configure(endpoint(e1), endpoint(e2, []));
      await tunnelUp(e1, "paris.e2");
      const nodes = [e1, e2].flatMap((from) =>
        [e1, e2, cloud].filter((to) => to !== from).map((to) => [from.host, to] as const),
      );
      await reachAll([...nodes, ...podPairs()]);
      expect(await tunnelUp(e2, CONNECTOR)).toMatchObject({ trouble: null });
      await waitFor("e1 itself", () => reaches(cloud.pod, { name: "e1", address: SHARED }));
    },
    seconds(120),
  );

  test(
    "have pods that reach each other and the cloud, although both are said to have it",
    async () => {
      await configure(endpoint(e1), endpoint(e2));
      await Promise.all([tunnelUp(e2, CONNECTOR), tunnelUp(e1, "paris.e2"), tunnelUp(e2, "paris.e1")]);
      await reachAll(podPairs());
    },
    seconds(120),
  );

  test(
    "lose the SAs of the address with it",
    async () => {
      const namesOf = async () =>
        (await tunnelsOf(e2)).flatMap(({ children }) => children.map(({ name }) => name)).sort();
      expect(await namesOf()).toContain(`${CONNECTOR}-n2p`);
      await configure(endpoint(e1), endpoint(e2, []));
      const left = [`${CONNECTOR}-p2n`, `${CONNECTOR}-p2p`, "paris.e1-p2n", "paris.e1-p2p"];
      await waitFor("their end", async () => String(await namesOf()) === String(left));
    },
    seconds(120),
  );
});
