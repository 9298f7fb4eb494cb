import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { minutes, seconds } from "../../../src/base/duration.ts";
import type { LabProcess } from "../../lab/process.ts";
import { serviceObjects } from "../../lab/service-objects.ts";
import { toolPaths } from "../../lab/tools.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { CloudWorld, claimOf, EDGE_POD, EDGE_PODS, routes, untilRoutes } from "../../support/cloud-world.ts";
import { ClusterApi } from "../../support/cluster-api.ts";
import { seenAddress, tellAddresses } from "../../support/seen-address.ts";

const NODE_PORT = 30080;
const CLUSTER_IP = "10.96.0.80";
const NOWHERE = `unreachable ${EDGE_PODS[0]} proto 83 metric 4278198272`;
const via = (n: number) => `${EDGE_PODS[0]} via 10.0.0.${n} dev eth0 proto 83`;

describe("a node-agent beside a real API server", () => {
  let world: CloudWorld;
  let api: ClusterApi;
  let agent: LabProcess;
  let program: string;
  let port: number;
  beforeAll(async () => {
    program = (await toolPaths("kube-proxy"))["kube-proxy"];
    world = await CloudWorld.create("flannel host-gw", async (host, address) => {
      api = await ClusterApi.open(host, address);
      return api;
    });
    // kube-proxy waits half a minute for the address of its node.
    const status = { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] };
    await api.server.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, status });
    await world.tunnel(world.c1);
    port = await tellAddresses(world.edgePod);
    agent = await world.agent();
  }, minutes(2));
  afterAll(() => world[Symbol.asyncDispose]());

  test("routes edges as they are published, and follows each change", async () => {
    await world.publish(world.c1, [claimOf(1)]);
    await untilRoutes(world.n1.host, 4, [via(2), NOWHERE]);
    await waitFor("an answer", () => world.reaches(EDGE_POD));
    await world.tunnel(world.c2);
    await world.publish(world.c2, [claimOf(2)]);
    await untilRoutes(world.n1.host, 4, [via(3), NOWHERE]);
    await world.publish(world.c2, []);
    await untilRoutes(world.n1.host, 4, [via(2), NOWHERE]);
    await world.publish(world.c2, [claimOf(2)]);
    await untilRoutes(world.n1.host, 4, [via(3), NOWHERE]);
  });

  test(
    "keeps its routes while the API server is gone, over its own restart, and hears what was published meanwhile",
    async () => {
      await api.stop();
      await agent.kill();
      agent = await world.agent();
      await agent.waitForLog(/CONNECTORS_UNHEARD/, { timeout: seconds(20) });
      expect(await routes(world.n1.host, 4)).toEqual([via(3), NOWHERE]);
      expect(await world.reaches(EDGE_POD)).toBeTrue();
      await world.tunnel(world.c1);
      await api.start();
      await world.publish(world.c1, [claimOf(3)]);
      await untilRoutes(world.n1.host, 4, [via(2), NOWHERE]);
    },
    minutes(1),
  );

  test.each(["nftables", "iptables"])(
    "leads through services to pods of edges beside kube-proxy in mode %s",
    async (mode) => {
      const [service, slice] = serviceObjects({
        ...{ name: "edge", namespace: "default", clusterIp: CLUSTER_IP, targetPort: port, endpoints: [EDGE_POD] },
      });
      const ports = [{ name: "http", protocol: "TCP", port: 80, targetPort: port, nodePort: NODE_PORT }];
      const { spec } = service as unknown as { readonly spec: object };
      await api.server.apply({ ...service, spec: { ...spec, type: "NodePort", ports } });
      await api.server.apply(slice);
      const configuration = {
        ...{ apiVersion: "kubeproxy.config.k8s.io/v1alpha1", kind: "KubeProxyConfiguration", mode },
        ...{
          clientConnection: { kubeconfig: "/etc/kubeconfig" },
          clusterCIDR: "10.244.0.0/16",
          hostnameOverride: "n1",
        },
        ...{ metricsBindAddress: "127.0.0.1:10249", healthzBindAddress: "127.0.0.1:10256" },
        conntrack: { maxPerCore: 0, min: 0 },
      };
      const { host, pod, podAddress } = world.n1;
      await host.writeFile("/etc/kube-proxy.json", JSON.stringify(configuration));
      const proxy = await host.spawn([program, "--config=/etc/kube-proxy.json", "--nodeport-addresses=10.0.0.0/24"]);
      const isProxied = async () => (await seenAddress(pod, CLUSTER_IP, 80)) === podAddress;
      await waitFor(`a pod's own address through its service\n${proxy.log}`, isProxied, { timeout: seconds(60) });
      // From outside: the answer has to pass this node again.
      expect(await seenAddress(world.c2.host, "10.0.0.1", NODE_PORT)).toBe("10.0.0.1");
      await proxy.stop();
      await host.run([program, "--cleanup", "--config=/etc/kube-proxy.json"]);
    },
    minutes(2),
  );
});
