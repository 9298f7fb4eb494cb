import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { reaches } from "../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import { CONNECTOR, type StartedEdge, TunnelWorld, tunnelUp } from "../support/tunnel-world.ts";

let world: TunnelWorld;
let e1: EdgeNode;
let e2: EdgeNode;
let c1: CloudNode;
let started: readonly StartedEdge[];

beforeAll(async () => {
  world = await TunnelWorld.create();
  [e1, e2, c1] = [world.edge(1), world.edge(2), world.cloud(1)];
  await world.startConnector(c1);
  const connector = world.connectorEndpoint(c1);
  started = await Promise.all([
    world.startEdge(e1, [connector, world.endpoint(e2)]),
    world.startEdge(e2, [connector, world.endpoint(e1)]),
  ]);
}, seconds(60));
afterAll(() => world?.[Symbol.asyncDispose]());

describe("two edge nodes and a connector of FabEdge's", () => {
  test("have tunnels to one another", async () => {
    await Promise.all([
      tunnelUp(e1, CONNECTOR),
      tunnelUp(e2, CONNECTOR),
      tunnelUp(e1, "paris.e2"),
      tunnelUp(e2, "paris.e1"),
    ]);
    expect(started).toHaveLength(2);
  });

  test("reach each other's pods, IPv4 and IPv6, and each other's nodes from pods", async () => {
    const nodes = [e1, e2, c1];
    for (const from of nodes) {
      for (const to of nodes.filter((node) => node !== from)) {
        for (const address of to.podAddresses) {
          expect([from.name, address, await reaches(from.pod, { name: to.name, address })]).toEqual([
            from.name,
            address,
            true,
          ]);
        }
        expect([from.name, to.name, await reaches(from.pod, { name: to.name, address: to.address })]).toEqual([
          from.name,
          to.name,
          true,
        ]);
        expect([from.name, "node", await reaches(from.host, { name: to.name, address: to.podAddresses[0] })]).toEqual([
          from.name,
          "node",
          true,
        ]);
      }
    }
  });
});
