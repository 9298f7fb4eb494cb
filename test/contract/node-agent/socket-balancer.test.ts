import { expect, test } from "bun:test";
import { Namespace } from "../../lab/namespace.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { CloudWorld, claimOf, EDGE_POD } from "../../support/cloud-world.ts";
import { seenAddress, tellAddresses } from "../../support/seen-address.ts";
import { SocketBalancer } from "../../support/socket-balancer.ts";

const SERVICE = { ip: "10.96.0.80", port: 80 };

test("pods and nodes whose services are translated by eBPF as they connect reach pods of an edge", async () => {
  await using world = await CloudWorld.create("flannel VXLAN");
  const port = await tellAddresses(world.edgePod);
  await world.tunnel(world.c1);
  await world.publish(world.c1, [claimOf(1)]);
  await world.agent();
  using balancer = SocketBalancer.create("balancer", SERVICE, { ip: EDGE_POD, port });
  const seen = ({ name, enter }: Namespace) =>
    seenAddress(new Namespace(name, [...balancer.enter, ...enter]), SERVICE.ip, SERVICE.port);
  const { host, pod, podAddress } = world.n1;
  await waitFor("a pod's own address through the service", async () => (await seen(pod)) === podAddress);
  // flannel's address of the node in the overlay, to which the connector has a route back.
  expect(await seen(host)).toBe("10.244.1.0");
  await world.tunnel(world.c2);
  await world.publish(world.c2, [claimOf(2)]);
  await waitFor("an answer through the other connector", async () => (await seen(pod)) === podAddress);
  expect(await seenAddress(pod, SERVICE.ip, SERVICE.port)).toBe("");
});
