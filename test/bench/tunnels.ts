import { seconds } from "../../src/base/duration.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import { Fabric } from "../lab/fabric/fabric.ts";
import type { Host } from "../lab/host.ts";
import { waitFor } from "../lab/wait-for.ts";
import { option } from "./option.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import { echoesDuring, longestSilence } from "./tunnels/echo-stream.ts";

/**
 * How long a fabric takes to follow what happens to it, with the real API server and real charons: two connectors, a
 * control plane with node-agent, edge nodes behind routers. FabEdge's times beside ours are not measured: they follow from
 * its timers.
 *
 * test/bench/tunnels.ts [--rounds N]
 */
const FABEDGE = "FabEdge 1.0.0, by its timers";
const ROUNDS = option("rounds", 5);
const GIVE_UP = seconds(60);

const limit = (value: number) => [{ kind: "limit", value, statistic: "median" }] as const;
const JOIN: Quantity = {
  name: "Node written to its pod reached from every cloud node",
  unit: "s",
  better: "less",
  goals: limit(5),
};
const COMMUNITY: Quantity = { name: "Community written to pods reached", unit: "s", better: "less", goals: limit(3) };
const LOST: Quantity = {
  name: "connector lost to traffic through another",
  unit: "s",
  better: "less",
  goals: limit(3),
};
const RESTART: Quantity = { name: "echoes lost over an agent's restart", unit: "1", better: "less", goals: limit(0) };
const RENEWAL: Quantity = {
  name: "echoes lost over a certificate's renewal",
  unit: "1",
  better: "less",
  goals: limit(0),
};

/** @returns seconds until the address answers */
async function untilReached(from: Host, address: string): Promise<number> {
  const started = performance.now();
  const script = `until ping -n -c 1 -W 0.2 ${address} >/dev/null 2>&1; do sleep 0.02; done`;
  await from.output(["sh", "-c", script], { timeout: GIVE_UP });
  return (performance.now() - started) / 1000;
}

async function measureJoins(fabric: Fabric, late: number, report: Report): Promise<void> {
  const { network, cluster } = fabric;
  for (const edge of network.edges.slice(-late)) {
    const started = performance.now();
    await cluster.registerEdge(edge);
    const nodes = [network.control, ...network.clouds];
    await Promise.all(nodes.map(({ pod }) => untilReached(pod, edge.podAddresses[0])));
    report.add(JOIN, OURS, [(performance.now() - started) / 1000]);
  }
}

async function measureCommunities(fabric: Fabric, report: Report): Promise<void> {
  const [first, second] = fabric.network.edges;
  if (first === undefined || second === undefined) throw new Error("Cannot measure as there are not two edges");
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    await fabric.cluster.applyCommunity("pair", [first.name, second.name]);
    await untilReached(first.pod, second.podAddresses[0]);
    report.add(COMMUNITY, OURS, [(performance.now() - started) / 1000]);
    await fabric.cluster.kubectl("delete", "community", "pair");
    await waitFor("the tunnel to go", async () => {
      const { code } = await first.pod.run(["ping", "-n", "-c", "1", "-W", "1", second.podAddresses[0]]);
      return code !== 0;
    });
  }
}

/** As when its power is cut. It comes back after each round. */
async function measureLosses(fabric: Fabric, report: Report): Promise<void> {
  const { network, agents } = fabric;
  const [agent] = agents;
  if (agent === undefined) throw new Error("Cannot measure as there is no edge");
  // charon has the SA of a connector that is gone for some more seconds.
  const holderNow = async () => {
    const { items } = JSON.parse(await agent.command("tunnels", "-o", "json"));
    const tunnel: TunnelReport | undefined = items.find(({ type }: TunnelReport) => type === "Connector");
    const address = tunnel?.state === "up" ? tunnel.ike?.remote.address : undefined;
    return network.clouds.find(({ publicAddress }) => publicAddress === address);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await untilReached(agent.node.pod, network.control.podAddresses[0]);
    const holder = await waitFor("a tunnel to a connector", holderNow, { timeout: GIVE_UP });
    const replies = await echoesDuring(agent.node.pod, network.control.podAddresses[0], async (heard) => {
      await holder.uplink.silence();
      await holder.cloudLink.silence();
      await heard.again(GIVE_UP);
    });
    report.add(LOST, OURS, [longestSilence(replies)]);
    await holder.uplink.restore();
    await holder.cloudLink.restore();
  }
}

async function measureKeeping(fabric: Fabric, report: Report): Promise<void> {
  const { network, agents, cluster } = fabric;
  const [agent] = agents;
  if (agent === undefined) throw new Error("Cannot measure as there is no edge");
  const { name, pod } = agent.node;
  const target = network.control.podAddresses[0];
  for (let round = 0; round < ROUNDS; round++) {
    await untilReached(pod, target);
    const overRestart = await echoesDuring(pod, target, async (heard) => {
      await agent.program.kill();
      await agent.start();
      await heard.more(50);
    });
    report.add(RESTART, OURS, [overRestart.lost]);
    const overRenewal = await echoesDuring(pod, target, async (heard) => {
      const before = await agent.command("status");
      await cluster.kubectl("delete", "secret", `fabedge-agent-tls-${name}`, "--namespace=fabedge");
      await waitFor("another certificate", async () => (await agent.command("status")) !== before);
      await heard.more(100);
    });
    report.add(RENEWAL, OURS, [overRenewal.lost]);
  }
}

const LATE = Math.max(1, ROUNDS);
const report = new Report("tunnels", "Tunnels: what happens, and when traffic follows");
report.add(JOIN, FABEDGE, [60, 120, 240]);
report.add(COMMUNITY, FABEDGE, [60, 120]);
report.add(LOST, FABEDGE, [60, 90]);
await using fabric = await Fabric.start({ edges: 2 + LATE, lateEdges: LATE });
await measureJoins(fabric, LATE, report);
await measureCommunities(fabric, report);
await measureKeeping(fabric, report);
await measureLosses(fabric, report);
report.finish();
