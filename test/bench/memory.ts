import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";
import { ClusterWorld, DNS_ADDRESS } from "./cluster-world.ts";
import { CORE_DNS_KUBEADM } from "./corefile.ts";
import { option } from "./option.ts";
import { toolVersion } from "./peer-version.ts";
import { type ProcessSample, sampleProcess } from "./process-sample.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import { serviceAddress } from "./services/bench-services.ts";
import { KubeProxy } from "./services/node-program.ts";

/**
 * What services and names take of a node that does nothing else: the compiled agent on one node, kube-proxy in nftables
 * mode with CoreDNS, as kubeadm sets it up, on another, at the same time and with the same real API server. Memory is
 * what they have after idling, idle CPU what they used meanwhile.
 *
 * test/bench/memory.ts [--services N] [--seconds N]
 */
const SETTLE_SECONDS = 15;
const START_TIMEOUT = seconds(60);
const PEER = "kube-proxy + CoreDNS";

const MEMORY = {
  residentBytes: {
    name: "memory, resident",
    unit: "B",
    better: "less",
    goals: [{ kind: "limit", value: 64e6, statistic: "median" }],
  },
  anonymousBytes: {
    name: "memory, anonymous",
    unit: "B",
    better: "less",
    goals: [{ kind: "limit", value: 25e6, statistic: "median" }],
  },
  proportionalBytes: { name: "memory, PSS", unit: "B", better: "less" },
} as const satisfies Readonly<Record<string, Quantity>>;
const IDLE_CPU: Quantity = { name: "idle CPU, of one core", unit: "%", better: "less" };

type Field = keyof typeof MEMORY;

const SERVICES = option("services", 1000);
const IDLE_SECONDS = option("seconds", 60);

async function startPeers(world: ClusterWorld, node: Host, kubeProxy: string): Promise<readonly LabProcess[]> {
  await node.ip(`address add ${DNS_ADDRESS}/32 dev lo`);
  const dns = await world.startCoreDns(node, CORE_DNS_KUBEADM, 53);
  const proxy = await new KubeProxy(kubeProxy, "kube-proxy", "1s").start(node, world.kubeconfig);
  await carries(node, world.services - 1);
  return [proxy, dns];
}

/** @returns when the kernel has the service */
async function carries(node: Host, service: number): Promise<void> {
  const address = new RegExp(`\\b${serviceAddress(service).replaceAll(".", "\\.")}\\b`);
  const there = async () => address.test(await node.output(["nft", "list", "ruleset"]));
  await waitFor("the last service in the kernel", there, { timeout: START_TIMEOUT });
}

const tools = await toolPaths("coredns", "kube-proxy", "kube-apiserver");
const report = new Report("memory", `A node at rest, ${SERVICES.toLocaleString("en")} services`);
for (const name of ["coredns", "kube-proxy", "kube-apiserver"] as const) report.version(name, toolVersion(tools[name]));
await using world = await ClusterWorld.create(SERVICES);
const agent = await world.startAgent((await world.node("edge1")).host);
const [proxy, dns] = await startPeers(world, (await world.node("peer1")).host, tools["kube-proxy"]);
if (proxy === undefined || dns === undefined) throw new Error("unreachable");
const programs: Readonly<Record<string, readonly LabProcess[]>> = {
  [OURS]: [agent],
  [PEER]: [proxy, dns],
  "  kube-proxy": [proxy],
  "  CoreDNS": [dns],
};
const sample = () => {
  const entries = Object.entries(programs).map(([name, list]) => [name, list.map(({ pid }) => sampleProcess(pid))]);
  return Object.fromEntries(entries) as Record<string, readonly ProcessSample[]>;
};
await Bun.sleep(SETTLE_SECONDS * 1000);
const [before, started] = [sample(), performance.now()];
await Bun.sleep(IDLE_SECONDS * 1000);
const [after, elapsedSeconds] = [sample(), (performance.now() - started) / 1000];
const sum = (samples: readonly ProcessSample[] | undefined, field: keyof ProcessSample) =>
  (samples ?? []).reduce((total, one) => total + one[field], 0);
for (const field of Object.keys(MEMORY) as Field[]) {
  for (const name of Object.keys(programs)) report.add(MEMORY[field], name, [sum(after[name], field)]);
}
for (const name of Object.keys(programs)) {
  const used = sum(after[name], "cpuSeconds") - sum(before[name], "cpuSeconds");
  report.add(IDLE_CPU, name, [(100 * used) / elapsedSeconds]);
}
report.finish();
