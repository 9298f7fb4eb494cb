import { join } from "node:path";
import { milliseconds, minutes } from "../../src/base/duration.ts";
import { formatPrefix } from "../../src/base/ip.ts";
import { CONNECTOR_LABEL, PUBLICATION_KEY, publicationName } from "../../src/kube/objects/connector-publication.ts";
import { type EdgeClaim, formatPublication } from "../../src/network/connector-claims.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { type CloudNode, CloudWorld } from "../support/cloud-world.ts";
import { ClusterApi } from "../support/cluster-api.ts";
import { ip, prefix } from "../support/network-objects.ts";
import { option } from "./option.ts";
import { sampleProcess } from "./process-sample.ts";
import type { Publishing } from "./publishing-program.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";

/**
 * The compiled node-agent beside a real kube-apiserver: one connector holds all edges, and a second one claims one after
 * the other. When a route is in the kernel, `ip monitor` says.
 *
 * test/bench/node-agent.ts [--changes N] [--program FILE]
 */
const SIZES = [1000, 10_000];
const CHANGES = option("changes", 100);
const PROGRAM = programOf(process.argv);
/** Between changes: what is not handled yet when the next one comes would be folded into it. */
const pauseAt = (size: number) => milliseconds(60 + size / 20);
const LIMIT = minutes(2);

const CHANGE: Quantity = {
  name: "an edge comes to another connector: from the API server's answer until its route is in the kernel",
  unit: "s",
  better: "less",
};
const FILL: Quantity = {
  name: "all edges are published: until the last route is in the kernel",
  unit: "s",
  better: "less",
};
const RESTART_WRITES: Quantity = { name: "restart: routes and rules written", unit: "1", better: "less" };
const RESTART: Quantity = { name: "restart: from exec until the kernel has been compared", unit: "s", better: "less" };
const RESIDENT: Quantity = { name: "resident memory", unit: "B", better: "less" };
const ANONYMOUS: Quantity = { name: "of that, anonymous", unit: "B", better: "less" };

function programOf(argv: readonly string[]): string {
  const at = argv.indexOf("--program");
  return at < 0 ? join(import.meta.dir, "../../dist/selvedge-cloud-linux-x64") : (argv[at + 1] ?? "");
}

const say = (text: string) => console.error(`${new Date().toTimeString().slice(0, 8)} ${text}`);

function edges(count: number, claim: number, first = 0): readonly EdgeClaim[] {
  return Array.from({ length: count }, (_, index) => {
    const n = first + index;
    const subnets = [prefix(`10.${100 + (n >> 8)}.${n & 0xff}.0/24`)];
    return { name: `paris.e${n}`, claim, subnets, nodeSubnets: [ip("192.168.9.10")] };
  });
}

function body({ name, number }: CloudNode, claims: readonly EdgeClaim[]): string {
  const publication = { node: name, address: ip(`10.0.0.${number}`), prefixes: [prefix(`10.244.${number}.0/24`)] };
  return JSON.stringify({
    ...{ apiVersion: "v1", kind: "ConfigMap" },
    metadata: { name: publicationName(name), namespace: "fabedge", labels: { [CONNECTOR_LABEL]: name } },
    data: { [PUBLICATION_KEY]: formatPublication({ ...publication, edges: claims }) },
  });
}

class NodeAgentBenchmark {
  readonly #report: Report;
  readonly #world: CloudWorld;
  readonly #api: ClusterApi;

  constructor(report: Report, world: CloudWorld, api: ClusterApi) {
    this.#report = report;
    this.#world = world;
    this.#api = api;
  }

  async measureAt(size: number): Promise<void> {
    const { c1, c2, n1 } = this.#world;
    await this.#publish(c1, [body(c1, [])]);
    await this.#publish(c2, [body(c2, [])]);
    let agent = await this.#world.agent([PROGRAM]);
    await this.#until("node_agent_connectors 2");
    const monitor = await n1.host.spawn(["ip", "-rcvbuf", "33554432", "-ts", "monitor", "route"]);
    say(`${size} edges: all at once`);
    const [published = 0] = await this.#publish(c1, [body(c1, edges(size, 1))]);
    await this.#until(`node_agent_prefixes ${size}`);
    const last = await waitFor("every route", () => this.#lastOf(monitor, size), { timeout: LIMIT });
    this.#add(FILL, size, (last - published) / 1000);

    say(`${size} edges: ${CHANGES} changes`);
    const moved = Array.from({ length: CHANGES }, (_, i) => (i * 7919) % size);
    const bodies = moved.map((edge, i) => body(c2, edges(1, 2 + i, edge)));
    const times = await this.#publish(c2, bodies, pauseAt(size));
    const seen = await waitFor("every change", () => this.#changes(monitor, moved), { timeout: LIMIT });
    this.#add(CHANGE, size, ...seen.map((at, i) => Math.max(0, at - (times[i] ?? 0)) / 1000));
    this.#sample(agent, size);
    await agent.stop();

    say(`${size} edges: restart`);
    const began = performance.now();
    agent = await this.#world.agent([PROGRAM]);
    await this.#until(`node_agent_prefixes ${size}`);
    await this.#until("node_agent_run_seconds_count [1-9]");
    this.#add(RESTART, size, (performance.now() - began) / 1000);
    const [, writes] = /node_agent_writes_total (\d+)/.exec(await this.#world.metrics()) ?? [];
    this.#add(RESTART_WRITES, size, Number(writes ?? 0));
    await agent.stop();
    await n1.host.output([PROGRAM, "node-agent", "cleanup"]);
    await monitor.stop();
  }

  /** @returns when each was written, in milliseconds since 1970 */
  async #publish(
    { name }: CloudNode,
    bodies: readonly string[],
    pauseMilliseconds = milliseconds(0),
  ): Promise<readonly number[]> {
    const { url, token } = this.#api.administrator;
    const path = `/api/v1/namespaces/fabedge/configmaps/${publicationName(name)}?fieldManager=bench&force=true`;
    const publishing: Publishing = { url: url + path, token, bodies, pauseMilliseconds };
    await this.#api.host.writeFile("/run/publishing.json", JSON.stringify(publishing));
    const argv = [process.execPath, join(import.meta.dir, "publishing-program.ts"), "/run/publishing.json"];
    return JSON.parse(await this.#api.host.output(argv, { timeout: LIMIT })) as readonly number[];
  }

  async #until(pattern: string): Promise<void> {
    const expected = new RegExp(`selvedge_${pattern}\\b`);
    await waitFor(pattern, async () => expected.test(await this.#world.metrics()), { timeout: LIMIT });
  }

  /** @returns when the last of so many routes to a connector was told of; undefined while there are fewer */
  #lastOf(monitor: LabProcess, count: number): number | undefined {
    const told = routesTold(monitor);
    return told.length < count ? undefined : told[count - 1]?.at;
  }

  /** When each edge's route first led to the second connector. */
  #changes(monitor: LabProcess, moved: readonly number[]): readonly number[] | undefined {
    const led = new Map<string, number>();
    for (const { destination, via, at } of routesTold(monitor)) {
      if (via === "10.0.0.3" && !led.has(destination)) led.set(destination, at);
    }
    const times = moved.map((edge) => led.get(formatPrefix(edges(1, 0, edge)[0]?.subnets[0] ?? prefix("::/0"))));
    return times.every((at) => at !== undefined) ? times : undefined;
  }

  #sample({ pid }: LabProcess, size: number): void {
    const sample = sampleProcess(pid);
    this.#add(RESIDENT, size, sample.residentBytes);
    this.#add(ANONYMOUS, size, sample.anonymousBytes);
  }

  #add(quantity: Quantity, size: number, ...values: readonly number[]): void {
    this.#report.add(quantity, OURS, values, { size });
  }
}

interface ToldRoute {
  readonly destination: string;
  readonly via: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** `[2026-11-21T12:50:00.123456] 10.100.0.0/24 via 10.0.0.2 dev eth0 table 220 proto 83` */
function routesTold({ log }: LabProcess): readonly ToldRoute[] {
  const lines = log.matchAll(/^\[([^\]]+)\] (\S+) via (\S+) dev eth0 table 220/gm);
  return Array.from(lines, ([, at = "", destination = "", via = ""]) => ({ destination, via, at: wallTime(at) }));
}

/** `ip` prints local time, with microseconds that Date does not take. */
function wallTime(text: string): number {
  const [whole = "", fraction = "0"] = text.split(".");
  return new Date(whole).getTime() + Number(`0.${fraction}`) * 1000;
}

const report = new Report("node-agent", "The node-agent beside a real API server", "edges");
let api: ClusterApi | undefined;
await using world = await CloudWorld.create("flannel host-gw", async (host, address) => {
  api = await ClusterApi.open(host, address);
  return api;
});
if (api === undefined) throw new Error("no API server");
const benchmark = new NodeAgentBenchmark(report, world, api);
try {
  for (const size of SIZES) await benchmark.measureAt(size);
} finally {
  report.finish(); // what was measured before something failed too
}
