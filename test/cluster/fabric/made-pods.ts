import { beforeAll, expect, test } from "bun:test";
import { seconds } from "../../../src/base/duration.ts";
import type { Fabric } from "../../lab/fabric/fabric.ts";
import { MadePod, reservedAddresses } from "../../lab/fabric/made-pod.ts";
import { type Destination, reaches } from "../../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode } from "../../lab/fabric/network.ts";
import { PAGE_PORT, servePages } from "../../lab/fabric/page.ts";
import type { Namespace } from "../../lab/namespace.ts";
import { toolPaths } from "../../lab/tools.ts";
import { waitFor } from "../../lab/wait-for.ts";

const LIMIT = 90_000;
const SETTLED = seconds(60);

const SERVICE = "10.96.0.30";
const HOST_PORT = 9080;
/** 8 Mbit/s, and 50 kB at once. */
const RATE = { bytesPerSecond: 1_000_000, burstBytes: 50_000 };
const SENT_BYTES = 600_000;
/** What the bucket holds at first, and what waits in front of it (25 ms at the rate) goes sooner. */
const LEAST_SECONDS = (SENT_BYTES - 2 * RATE.burstBytes) / RATE.bytesPerSecond;

/**
 * Pods made by our CNI plugin, as a container runtime does it by what the agent wrote, in a fabric of one Community.
 *
 * @param started it is, when the tests begin
 */
export function testMadePods(started: () => Fabric): void {
  let [e1, e2]: EdgeNode[] = [];
  let c1: CloudNode;
  let cnitool: string;
  let web: MadePod;
  let caller: MadePod;

  beforeAll(async () => {
    ({ cnitool } = await toolPaths("cnitool"));
    const { cluster, network } = started();
    [e1, e2] = network.edges;
    const [cloud] = network.clouds;
    if (e1 === undefined || e2 === undefined || cloud === undefined) throw new Error("Cannot find the nodes");
    c1 = cloud;
    for (const { host } of network.edges) {
      const ready = async () => (await host.run(["test", "-e", "/etc/cni/net.d/fabedge.conflist"])).code === 0;
      await waitFor("the agent's network configuration", ready, { timeout: SETTLED });
    }
    const [rate, burst] = [RATE.bytesPerSecond * 8, RATE.burstBytes * 8];
    web = await MadePod.add(e1, cnitool, "web", {
      portMappings: [{ hostPort: HOST_PORT, containerPort: PAGE_PORT, protocol: "tcp" }],
      bandwidth: { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst },
    });
    caller = await MadePod.add(e2, cnitool, "caller");
    await servePages(web);
    const [address = ""] = web.addresses;
    const service = { namespace: "default", name: "web", clusterIp: SERVICE, targetPort: PAGE_PORT };
    await cluster.declareService({ ...service, endpoints: [address] });
  }, LIMIT);

  const page = (address: string, port = PAGE_PORT): Destination => {
    const host = address.includes(":") ? `[${address}]` : address;
    return { name: address, url: `http://${host}:${port}` };
  };
  async function reached(from: Namespace, to: Destination): Promise<void> {
    const what = `${from.name} to reach ${to.name}`;
    await waitFor(what, () => reaches(from, to), { timeout: SETTLED });
  }

  test(
    "get their addresses from the node's subnets, and reach pods of the cloud and of another edge node, and those them",
    async () => {
      expect(web.addresses).toEqual(["10.244.11.2", "fd00:10:244:11::2"]);
      expect(caller.addresses).toEqual(["10.244.12.2", "fd00:10:244:12::2"]);
      for (const address of web.addresses) {
        await reached(caller, page(address));
        await reached(c1.pod, page(address));
      }
      for (const address of c1.podAddresses) await reached(web, page(address));
    },
    LIMIT,
  );

  test(
    "are reached by service through a tunnel, and by themselves",
    async () => {
      for (const from of [c1.pod, caller, web]) await reached(from, { name: "the service", url: `http://${SERVICE}` });
    },
    LIMIT,
  );

  test(
    "are reached by their host ports through a tunnel",
    async () => {
      if (e1 === undefined) return;
      for (const from of [caller, c1.pod]) await reached(from, page(e1.address, HOST_PORT));
    },
    LIMIT,
  );

  test.each(["from", "to"] as const)(
    "send and get through a tunnel no more than their bandwidth: %s the pod",
    async (direction) => {
      const [cloudAddress] = c1.podAddresses;
      const [podAddress = ""] = web.addresses;
      const [sender, receiver, address] =
        direction === "from" ? [web, c1.pod, cloudAddress] : [c1.pod, web, podAddress];
      const script = "socat -u TCP-LISTEN:9000,reuseaddr STDOUT | wc -c";
      const hears = await receiver.spawn(["sh", "-c", script], {
        ready: async () => (await receiver.output(["ss", "-Htln", "sport = :9000"])) !== "",
      });
      const started = performance.now();
      await sender.output(["sh", "-c", `head -c ${SENT_BYTES} /dev/zero | socat -u - TCP:${address}:9000`]);
      await hears.waitForLog(new RegExp(`^${SENT_BYTES}$`, "m"), { timeout: SETTLED });
      // The kernel's clock: a busy machine makes it longer, nothing shorter.
      expect((performance.now() - started) / 1000).toBeGreaterThan(LEAST_SECONDS);
    },
    LIMIT,
  );

  test(
    "leave nothing on the node when they go, and another gets another address",
    async () => {
      if (e1 === undefined) return;
      const [address = ""] = web.addresses;
      await web.remove();
      expect(await reservedAddresses(e1)).toEqual([]);
      expect(await e1.host.output(["nft", "list", "tables"])).not.toContain("selvedge-ports");
      expect(await e1.host.output(["ip", "-br", "link"])).not.toMatch(/^(veth[0-9a-f]{8}|bwp)/m);
      expect(await reaches(caller, page(address))).toBe(false);
      const next = await MadePod.add(e1, cnitool, "next");
      expect(next.addresses).toEqual(["10.244.11.3", "fd00:10:244:11::3"]);
      await servePages(next);
      await reached(caller, page("10.244.11.3"));
      await next.remove();
    },
    LIMIT,
  );
}
