import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NameTable } from "../../edge/dns/name-table.ts";
import { makeZone } from "../../edge/dns/zone.ts";
import { ServiceIndex } from "../../src/network/service-index.ts";
import { RecordType } from "../../src/wire/dns.ts";
import { encodeQuery } from "../../src/wire/dns-message.ts";
import { QueryReader } from "../../src/wire/dns-query.ts";
import { waitFor } from "../lab/wait-for.ts";
import { namespaceCommand } from "../support/in-namespace.ts";
import { dnsName } from "../support/network-objects.ts";
import { BenchAgent, DNS_ADDRESS } from "./agent.ts";
import { benchAddress, benchName, benchServices } from "./dns-services.ts";

/**
 * Cluster names a second on one core, ours and unbound's in the same run: dnsperf on CPU 0, the server on CPU 1,
 * rounds in turn, medians. Ours is the compiled agent, with the services in its cache and in the kernel. Both answer on
 * one address: the kernel caches no route to a local address that is not on `lo`, which costs a microsecond a query.
 *
 * test/bench/dns.ts [--json] [--rounds N] [--seconds N]
 */
const NAMES = 10_000;
const CLIENT_CPU = "0";
const SERVER_CPU = "1";
const UNBOUND_PORT = 5301;
/** Set by namespaceCommand. */
const INSIDE = "SELVEDGE_TEST_NAMESPACE";

interface Server {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

interface Round {
  readonly queriesPerSecond: number;
  readonly cpuMicroseconds: number;
  readonly lost: number;
}

interface Figures {
  readonly queriesPerSecond: number;
  readonly cpuMicrosecondsPerQuery: number;
  readonly lost: number;
  readonly residentMegabytes: number;
  readonly rounds: readonly number[];
}

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/** How long the table takes to know 10,000 services, and to make each one's answer when it is first asked for. */
function measureTable(): { readonly loadMilliseconds: number; readonly firstAnswerMicroseconds: number } {
  const changes = benchServices(NAMES);
  const queries = changes.map((_, i) =>
    encodeQuery(
      1,
      { name: dnsName(benchName(i)), type: RecordType.A, class: 1 },
      { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 },
    ),
  );
  const runs = Array.from({ length: 7 }, () => {
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
    return { load: loaded - started, first: ((performance.now() - loaded) * 1000) / NAMES };
  });
  return {
    loadMilliseconds: median(runs.map((run) => run.load)),
    firstAnswerMicroseconds: median(runs.map((run) => run.first)),
  };
}

function unboundConfiguration(): string {
  const data = Array.from({ length: NAMES }, (_, i) => `  local-data: "${benchName(i)}. 30 IN A ${benchAddress(i)}"`);
  return `server:
  interface: ${DNS_ADDRESS}@${UNBOUND_PORT}
  ip-freebind: yes
  do-daemonize: no
  num-threads: 1
  use-syslog: no
  verbosity: 0
  chroot: ""
  username: ""
  pidfile: ""
  module-config: "iterator"
  minimal-responses: yes
  access-control: 0.0.0.0/0 allow
  local-zone: "cluster.local." static
${data.join("\n")}
remote-control:
  control-enable: no
`;
}

/** User and system time of a process in microseconds: columns 14 and 15 of proc_pid_stat(5), in hundredths. */
async function cpuMicroseconds(pid: number): Promise<number> {
  const fields = (await Bun.file(`/proc/${pid}/stat`).text()).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function residentMegabytes(pid: number): Promise<number> {
  const [, kilobytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(await Bun.file(`/proc/${pid}/status`).text()) ?? [];
  return Number(kilobytes) / 1024;
}

async function dnsperf(server: Server, queries: string, lengthSeconds: number): Promise<Round> {
  const before = await cpuMicroseconds(server.pid);
  const words = [
    "-s",
    DNS_ADDRESS,
    "-p",
    String(server.port),
    "-d",
    queries,
    "-l",
    String(lengthSeconds),
    "-c",
    "4",
    "-q",
    "100",
  ];
  const client = Bun.spawn(["taskset", "-c", CLIENT_CPU, "dnsperf", ...words], { stdout: "pipe", stderr: "pipe" });
  const output = await client.stdout.text();
  const used = (await cpuMicroseconds(server.pid)) - before;
  const figure = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const completed = figure(/Queries completed:\s+(\d+)/);
  const good = figure(/Response codes:\s+NOERROR (\d+)/);
  if (!(completed > 0) || good !== completed) throw new Error(`Cannot measure ${server.name}: dnsperf says\n${output}`);
  return {
    queriesPerSecond: figure(/Queries per second:\s+([\d.]+)/),
    cpuMicroseconds: used / completed,
    lost: figure(/Queries lost:\s+(\d+)/),
  };
}

async function measureServers(): Promise<Readonly<Record<string, Figures>>> {
  const folder = mkdtempSync(join(tmpdir(), "selvedge-bench-dns-"));
  const queries = join(folder, "queries");
  const configuration = join(folder, "unbound.conf");
  writeFileSync(queries, Array.from({ length: NAMES }, (_, i) => `${benchName(i)} A\n`).join(""));
  writeFileSync(configuration, unboundConfiguration());
  const pinned = (...command: readonly string[]) =>
    Bun.spawn(["taskset", "-c", SERVER_CPU, ...command], { stdout: "pipe", stderr: "ignore" });
  using agent = new BenchAgent();
  await agent.fillCache(NAMES);
  const ours = agent.start("taskset", "-c", SERVER_CPU);
  const unbound = pinned("unbound", "-d", "-c", configuration);
  try {
    const servers: readonly Server[] = [
      { name: "selvedge", port: 53, pid: ours.pid },
      { name: "unbound", port: UNBOUND_PORT, pid: unbound.pid },
    ];
    // The first round warms both: caches, and our compiler.
    for (const server of servers) {
      await waitFor(`answers of ${server.name}`, () => dnsperf(server, queries, 1));
    }
    const rounds = new Map<string, Round[]>(servers.map((server) => [server.name, []]));
    for (let i = 0; i < option("rounds", 5); i++) {
      for (const server of servers) rounds.get(server.name)?.push(await dnsperf(server, queries, option("seconds", 3)));
    }
    const figures = await Promise.all(
      servers.map(async ({ name, pid }): Promise<[string, Figures]> => {
        const list = rounds.get(name) ?? [];
        return [
          name,
          {
            queriesPerSecond: median(list.map((round) => round.queriesPerSecond)),
            cpuMicrosecondsPerQuery: median(list.map((round) => round.cpuMicroseconds)),
            lost: list.reduce((sum, round) => sum + round.lost, 0),
            residentMegabytes: await residentMegabytes(pid),
            rounds: list.map((round) => Math.round(round.queriesPerSecond)),
          },
        ];
      }),
    );
    return Object.fromEntries(figures);
  } finally {
    ours.kill();
    unbound.kill();
    await Promise.all([ours.exited, unbound.exited]);
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<number> {
  if (process.env[INSIDE] !== "1") {
    const { command, env } = namespaceCommand([process.execPath, import.meta.path, ...process.argv.slice(2)]);
    return Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "inherit", stderr: "inherit" }).exited;
  }
  const table = measureTable();
  const { selvedge, unbound } = await measureServers();
  if (selvedge === undefined || unbound === undefined) return 1;
  const ratios = {
    queriesPerSecond: selvedge.queriesPerSecond / unbound.queriesPerSecond,
    cpuPerQuery: unbound.cpuMicrosecondsPerQuery / selvedge.cpuMicrosecondsPerQuery,
  };
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ benchmark: "dns", names: NAMES, table, selvedge, unbound, ratios }));
    return 0;
  }
  const row = (
    name: string,
    { queriesPerSecond, cpuMicrosecondsPerQuery, lost, residentMegabytes: megabytes }: Figures,
  ) =>
    [
      name.padEnd(16),
      Math.round(queriesPerSecond).toLocaleString("en").padStart(10),
      cpuMicrosecondsPerQuery.toFixed(2).padStart(12),
      String(lost).padStart(6),
      megabytes.toFixed(0).padStart(8),
    ].join("");
  console.log(`${NAMES} cluster names, one core, the compiled agent beside unbound`);
  console.log(
    `${"".padEnd(16)}${"queries/s".padStart(10)}${"CPU µs/query".padStart(12)}${"lost".padStart(6)}${"RSS MB".padStart(8)}`,
  );
  console.log([row("selvedge", selvedge), row("unbound", unbound)].join("\n"));
  console.log(
    `of unbound: ${ratios.queriesPerSecond.toFixed(2)} × the queries a second, ${ratios.cpuPerQuery.toFixed(2)} × the queries for the same CPU time (to reach: 1.00)`,
  );
  console.log(
    `table: ${NAMES} services in ${table.loadMilliseconds.toFixed(1)} ms, an answer made in ${table.firstAnswerMicroseconds.toFixed(1)} µs`,
  );
  return 0;
}

process.exitCode = await main();
