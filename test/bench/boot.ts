import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";
import type { BootCommands, BootQuestion } from "./boot-station.ts";
import { ClusterWorld, DNS_ADDRESS } from "./cluster-world.ts";
import { CORE_DNS_KUBEADM } from "./corefile.ts";
import { benchName } from "./dns-services.ts";
import { option } from "./option.ts";
import { toolVersion } from "./peer-version.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";
import { ENDPOINT_NETWORK, ENDPOINT_PORT, SERVICE_PORT, serviceAddress } from "./services/bench-services.ts";
import { KubeProxy } from "./services/node-program.ts";
import { Station } from "./services/station.ts";

/**
 * From exec to the first right answer on a node that has just booted, with nothing in the kernel: to a DNS query, and to
 * a connection to a service. The compiled agent with its cache and without a cloud; CoreDNS and kube-proxy with their API
 * server in reach, and without it.
 *
 * test/bench/boot.ts [--services N] [--rounds N]
 */
const GIVE_UP_MILLISECONDS = 10_000;
const PEER_ROUNDS = 3;
const SERVICE_NETWORK = "10.96.0.0/16";
const ABANDON = ["sh", "-c", "nft delete table ip kube-proxy; nft delete table ip6 kube-proxy; true"];

const LIMIT = { kind: "limit", value: 0.3, statistic: "median" } as const;
const NAME: Quantity = { name: "exec to the first right DNS answer", unit: "s", better: "less", goals: [LIMIT] };
const CONNECTION: Quantity = { name: "exec to the first connection", unit: "s", better: "less", goals: [LIMIT] };
const OFFLINE = "without cloud";
const ONLINE = "API server in reach";

const SERVICES = option("services", 1000);
const ROUNDS = option("rounds", 7);

async function openStation(node: Host): Promise<Station<BootCommands>> {
  // The endpoints are the node's own; services are too, until somebody translates them: refused at once, not waited for.
  await node.ip(`route add local ${ENDPOINT_NETWORK} dev lo`, `route add local ${SERVICE_NETWORK} dev lo`);
  const station = new Station<BootCommands>(node, join(import.meta.dir, "boot-station.ts"));
  await station.ask("listen", ENDPOINT_PORT);
  return station;
}

function question(...programs: readonly (readonly string[])[]): BootQuestion {
  const last = SERVICES - 1;
  const where = { server: DNS_ADDRESS, name: benchName(last), address: serviceAddress(last), port: SERVICE_PORT };
  return { programs, ...where, giveUpMilliseconds: GIVE_UP_MILLISECONDS };
}

function add(report: Report, quantity: Quantity, program: string, value: number | null): void {
  report.add(quantity, program, [value ?? GIVE_UP_MILLISECONDS / 1000], { unfinished: value === null });
}

async function measureOurs(world: ClusterWorld, report: Report): Promise<void> {
  const { host, uplink } = await world.node("edge1");
  const agent = await world.startAgent(host);
  const cached = async () =>
    (await host.run(["grep", "-qr", benchName(SERVICES - 1).split(".")[0] ?? "", "/var/lib/selvedge"])).code === 0;
  await waitFor("the cache", cached, { timeout: seconds(20) });
  await agent.stop();
  await uplink.unplug();
  await using station = await openStation(host);
  for (let round = 0; round < ROUNDS; round++) {
    await world.forgetAgent(host);
    const { name, connection } = await station.ask("boot", question(world.agent(host)));
    add(report, NAME, OURS, name);
    add(report, CONNECTION, OURS, connection);
  }
}

async function measurePeers(world: ClusterWorld, report: Report, kubeProxy: string): Promise<void> {
  const { host, uplink } = await world.node("peer1");
  await host.ip(`address add ${DNS_ADDRESS}/32 dev lo`);
  await using station = await openStation(host);
  // Started once: it leaves its configuration and tells its command.
  const proxy = await new KubeProxy(kubeProxy, "kube-proxy", "1s").start(host, world.kubeconfig);
  await proxy.stop();
  const programs = [await world.coreDns(host, CORE_DNS_KUBEADM, 53), proxy.argv];
  const measure = async (where: string) => {
    await host.output(ABANDON);
    const { name, connection } = await station.ask("boot", question(...programs));
    add(report, NAME, `CoreDNS, ${where}`, name);
    add(report, CONNECTION, `kube-proxy, ${where}`, connection);
  };
  for (let round = 0; round < PEER_ROUNDS; round++) await measure(ONLINE);
  await uplink.unplug();
  await measure(OFFLINE);
}

const tools = await toolPaths("coredns", "kube-proxy");
const report = new Report("boot", `Boot of a node with ${SERVICES.toLocaleString("en")} services, ours ${OFFLINE}`);
report.version("CoreDNS", toolVersion(tools.coredns));
report.version("kube-proxy", toolVersion(tools["kube-proxy"]));
await using world = await ClusterWorld.create(SERVICES);
await measureOurs(world, report);
await measurePeers(world, report, tools["kube-proxy"]);
report.finish();
