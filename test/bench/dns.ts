import { NameTable } from "../../edge/dns/name-table.ts";
import { makeZone } from "../../edge/dns/zone.ts";
import { ServiceIndex } from "../../src/network/service-index.ts";
import { RecordType } from "../../src/wire/dns.ts";
import { encodeQuery } from "../../src/wire/dns-message.ts";
import { QueryReader } from "../../src/wire/dns-query.ts";
import type { Host } from "../lab/host.ts";
import { toolPaths } from "../lab/tools.ts";
import { dnsName } from "../support/network-objects.ts";
import { ClusterWorld } from "./cluster-world.ts";
import { CORE_DNS_ALL_CACHED, CORE_DNS_KUBEADM, CORE_DNS_PLAIN } from "./corefile.ts";
import { benchName, benchServices } from "./dns-services.ts";
import { CLIENT_CPU, measureLatency, measureThroughput, type NameServer } from "./dnsperf.ts";
import { option } from "./option.ts";
import { toolVersion, unboundVersion } from "./peer-version.ts";
import { sampleProcess } from "./process-sample.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import { median } from "./report/statistics.ts";

/**
 * Cluster names on one core: the compiled agent, CoreDNS with its kubernetes plugin and unbound with the same names as
 * local data. The two that have a source have the same one, a real API server. dnsperf is on CPU 0, the server on CPU 1;
 * rounds in turn. All answer on one address, which is on no `lo`: the kernel caches no route to such an address, which
 * costs a microsecond a query, and everybody the same.
 *
 * test/bench/dns.ts [--services N] [--rounds N] [--seconds N]
 */
const SERVER_CPU = "1";
const PINNED = { prefix: ["taskset", "-c", SERVER_CPU] };
const QUERIES_FILE = "/run/queries";
const LATENCY_ROUNDS = 3;
const TABLE_RUNS = 7;

const THROUGHPUT: Quantity = {
  name: "queries a second, one core",
  unit: "1/s",
  better: "more",
  goals: [
    { kind: "gain", over: "unbound", factor: 1, statistic: "median" },
    { kind: "gain", over: "CoreDNS", factor: 2.5, statistic: "median" },
  ],
};
const CPU: Quantity = { name: "CPU time of a query", unit: "s", better: "less" };
const LATENCY = (rate: number): Quantity => ({
  name: `time to answer at ${rate.toLocaleString("en")} queries a second`,
  unit: "s",
  better: "less",
});
const LOST: Quantity = { name: "queries without an answer", unit: "1", better: "less" };
const MEMORY = {
  residentBytes: { name: "memory afterwards, resident", unit: "B", better: "less" },
  anonymousBytes: { name: "memory afterwards, anonymous", unit: "B", better: "less" },
} as const satisfies Readonly<Record<string, Quantity>>;
const TABLE: Quantity = { name: "all names into the table", unit: "s", better: "less" };
const FIRST_ANSWER: Quantity = { name: "a name's first answer made", unit: "s", better: "less" };

const SERVICES = option("services", 10_000);
const ROUNDS = option("rounds", 5);
const ROUND_SECONDS = option("seconds", 3);

async function startServers(world: ClusterWorld, node: Host): Promise<readonly NameServer[]> {
  // The first one makes the link with the address.
  const agent = await world.startAgent(node, PINNED);
  const oneThread = { ...PINNED, env: { GOMAXPROCS: "1" } };
  return [
    { name: OURS, port: 53, process: agent },
    { name: "unbound", port: 5301, process: await world.startUnbound(node, 5301, PINNED) },
    { name: "CoreDNS", port: 5302, process: await world.startCoreDns(node, CORE_DNS_PLAIN, 5302, oneThread) },
    {
      name: "CoreDNS, kubeadm's Corefile",
      port: 5303,
      process: await world.startCoreDns(node, CORE_DNS_KUBEADM, 5303, oneThread),
    },
    {
      name: "CoreDNS, everything cached",
      port: 5304,
      process: await world.startCoreDns(node, CORE_DNS_ALL_CACHED, 5304, oneThread),
    },
    { name: "CoreDNS, on both cores", port: 5305, process: await world.startCoreDns(node, CORE_DNS_PLAIN, 5305) },
  ];
}

async function measureServers(report: Report): Promise<void> {
  await using world = await ClusterWorld.create(SERVICES);
  const { host: node } = await world.node("edge1");
  await node.writeFile(QUERIES_FILE, Array.from({ length: SERVICES }, (_, i) => `${benchName(i)} A\n`).join(""));
  await world.pinCloud(CLIENT_CPU);
  const servers = await startServers(world, node);
  // The first round warms all of them: caches, and our compiler.
  for (const server of servers) await measureThroughput(node, server, QUERIES_FILE, 1);
  const capacities = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  const lost = new Map<string, number>(servers.map(({ name }) => [name, 0]));
  const lose = ({ name }: NameServer, count: number) => lost.set(name, (lost.get(name) ?? 0) + count);
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of servers) {
      const figures = await measureThroughput(node, server, QUERIES_FILE, ROUND_SECONDS);
      report.add(THROUGHPUT, server.name, [figures.queriesPerSecond]);
      report.add(CPU, server.name, [figures.cpuSecondsPerQuery]);
      capacities.get(server.name)?.push(figures.queriesPerSecond);
      lose(server, figures.lost);
    }
  }
  const rate = roundDown(Math.min(...[...capacities.values()].map(median)) / 2);
  const latency = LATENCY(rate);
  for (let round = 0; round < LATENCY_ROUNDS; round++) {
    for (const server of servers) {
      const figures = await measureLatency(node, server, QUERIES_FILE, ROUND_SECONDS, rate);
      report.add(latency, server.name, figures.seconds);
      lose(server, figures.lost);
    }
  }
  // A loss of nobody is no comparison.
  if ([...lost.values()].some((count) => count > 0)) for (const [name, count] of lost) report.add(LOST, name, [count]);
  for (const { name, process } of servers) {
    const sample = sampleProcess(process.pid);
    for (const field of ["residentBytes", "anonymousBytes"] as const) report.add(MEMORY[field], name, [sample[field]]);
  }
}

/** To a figure of two digits. */
function roundDown(value: number): number {
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Math.floor(value / step) * step;
}

/** How long the table takes to know all services, and to make each one's answer when it is first asked for. */
function measureTable(report: Report): void {
  const changes = benchServices(SERVICES);
  const queries = changes.map((_, i) =>
    encodeQuery(
      1,
      { name: dnsName(benchName(i)), type: RecordType.A, class: 1 },
      { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 },
    ),
  );
  for (let run = 0; run < TABLE_RUNS; run++) {
    const index = new ServiceIndex();
    const changed = index.apply(changes);
    const table = new NameTable(makeZone(dnsName("cluster.local")), []);
    const started = performance.now();
    table.update(index, changed);
    const loaded = performance.now();
    const reader = new QueryReader(1);
    for (const query of queries) {
      reader.read(query);
      table.lookup(reader);
    }
    report.add(TABLE, OURS, [(loaded - started) / 1000]);
    report.add(FIRST_ANSWER, OURS, [(performance.now() - loaded) / 1000 / SERVICES]);
  }
}

const report = new Report("dns", `${SERVICES.toLocaleString("en")} cluster names`);
const tools = await toolPaths("coredns", "kube-apiserver");
report.version("CoreDNS", toolVersion(tools.coredns));
report.version("unbound", unboundVersion());
report.version("kube-apiserver", toolVersion(tools["kube-apiserver"]));
measureTable(report);
await measureServers(report);
report.finish();
