import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { LabProcess } from "../../lab/process.ts";
import { waitFor } from "../../lab/wait-for.ts";
import {
  CloudWorld,
  claimOf,
  EDGE_POD,
  EDGE_POD6,
  EDGE_PODS,
  POD_NETWORKS,
  type PodNetwork,
  untilRoutes,
} from "../../support/cloud-world.ts";

/** The next hop to a node's pods, as `ip route` shows it. */
const WAYS: Readonly<Record<PodNetwork, (n: number, family: 4 | 6) => string>> = {
  "flannel VXLAN": (n, family) => `via ${end(n, family)} dev flannel.1`,
  "flannel host-gw": (n, family) => `via ${family === 4 ? "10.0.0." : "fd00::"}${n} dev eth0`,
  "Calico VXLAN": (n, family) => `via ${end(n, family)} dev ${family === 4 ? "vxlan.calico" : "vxlan-v6.calico"}`,
  "Calico IPIP": (n) => `via 10.0.0.${n} dev tunl1`,
};

function end(n: number, family: 4 | 6): string {
  return family === 4 ? `10.244.${n}.0` : `fd00:10:244:${n}::`;
}

function expected(network: PodNetwork, n: number, family: 4 | 6): readonly string[] {
  const [pods4, pods6] = EDGE_PODS;
  const onlink = network === "flannel host-gw" ? "" : " onlink";
  const way = WAYS[network](n, family);
  return family === 4
    ? [`${pods4} ${way} proto 83${onlink}`, `unreachable ${pods4} proto 83 metric 4278198272`]
    : [`${pods6} ${way} proto 83 metric 1024${onlink}`, `unreachable ${pods6} dev lo proto 83 metric 4278198272`];
}

describe.each(POD_NETWORKS)("in a cloud with %s", (network) => {
  const families = network === "Calico IPIP" ? ([4] as const) : ([4, 6] as const);
  const addressOf = { 4: EDGE_POD, 6: EDGE_POD6 } as const;
  let world: CloudWorld;
  let agent: LabProcess;
  beforeAll(async () => {
    world = await CloudWorld.create(network);
    await world.tunnel(world.c1);
    await world.publish(world.c1, [claimOf(1)]);
    agent = await world.agent();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("pods of a node without connector reach pods of an edge through its holder", async () => {
    for (const family of families) {
      await untilRoutes(world.n1.host, family, expected(network, 2, family));
      await waitFor(`an answer over IPv${family}`, () => world.reaches(addressOf[family]));
    }
  });

  test("they follow an edge to another connector, which claims it", async () => {
    await world.tunnel(world.c2);
    await world.publish(world.c2, [claimOf(2)]);
    for (const family of families) {
      await untilRoutes(world.n1.host, family, expected(network, 3, family));
      await waitFor(`an answer over IPv${family}`, () => world.reaches(addressOf[family]));
    }
    expect(agent.log).not.toContain("node-agent.failed");
  });
});
