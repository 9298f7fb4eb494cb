import { RecordType } from "../../src/wire/dns.ts";
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { namespaceCommand, run } from "../support/in-namespace.ts";
import { dnsName } from "../support/network-objects.ts";
import { BenchAgent, DNS_ADDRESS, LOCAL_ENDPOINT, SERVICE_PORT } from "./agent.ts";
import { benchAddress, benchName } from "./dns-services.ts";

/**
 * From exec to the first right answer, on a node that has just booted, has its cache and no cloud, no route and no
 * table in the kernel: to a DNS query, and to a connection to a service address. The compiled agent, in a network
 * namespace of its own.
 *
 * test/bench/boot.ts [--json] [--services N] [--rounds N]
 */
const INSIDE = "SELVEDGE_TEST_NAMESPACE";
/** How often the client asks: the resolution of the figures. */
const ASK_EVERY_MS = 1;
const GIVE_UP_MS = 10_000;

interface Boot {
  readonly nameMilliseconds: number;
  readonly connectionMilliseconds: number;
  readonly residentMegabytes: number;
  readonly anonymousMegabytes: number;
}

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

const SERVICES = option("services", 1000);
const ROUNDS = option("rounds", 7);

/** @returns when the name of the last service was answered with its address */
async function firstAnswer(signal: AbortSignal): Promise<number> {
  const last = SERVICES - 1;
  const question = { name: dnsName(benchName(last)), type: RecordType.A, class: 1 };
  const query = encodeQuery(7, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 });
  const answered = Promise.withResolvers<number>();
  const client = await Bun.udpSocket({
    socket: {
      data: (_, data) => {
        const message = decodeMessage(data);
        const record = message.ok ? message.value.answers[0] : undefined;
        if (record !== undefined && formatRecordData(record) === benchAddress(last))
          answered.resolve(performance.now());
      },
      // Until the agent is there, its address is nobody's.
      error: () => {},
    },
  });
  const timer = setInterval(() => {
    try {
      client.send(query, 53, DNS_ADDRESS);
    } catch {
      // The same.
    }
  }, ASK_EVERY_MS);
  signal.addEventListener("abort", () => answered.reject(signal.reason));
  try {
    return await answered.promise;
  } finally {
    clearInterval(timer);
    client.close();
  }
}

async function firstConnection(signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    try {
      const socket = await Bun.connect({ hostname: benchAddress(0), port: SERVICE_PORT, socket: { data: () => {} } });
      socket.end();
      return performance.now();
    } catch {
      await Bun.sleep(ASK_EVERY_MS);
    }
  }
  throw signal.reason;
}

async function memory(pid: number, field: string): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}

async function boot(agent: BenchAgent): Promise<Boot> {
  agent.reboot();
  const signal = AbortSignal.timeout(GIVE_UP_MS);
  const [name, connection] = [firstAnswer(signal), firstConnection(signal)];
  const started = performance.now();
  const program = agent.start();
  try {
    return {
      nameMilliseconds: (await name) - started,
      connectionMilliseconds: (await connection) - started,
      residentMegabytes: await memory(program.pid, "VmRSS"),
      anonymousMegabytes: await memory(program.pid, "RssAnon"),
    };
  } finally {
    program.kill();
    await program.exited;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function main(): Promise<number> {
  if (process.env[INSIDE] !== "1") {
    const { command, env } = namespaceCommand([process.execPath, import.meta.path, ...process.argv.slice(2)]);
    return Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "inherit", stderr: "inherit" }).exited;
  }
  run("ip", "address", "add", `${LOCAL_ENDPOINT.address}/32`, "dev", "lo");
  const backend = Bun.listen({
    hostname: LOCAL_ENDPOINT.address,
    port: LOCAL_ENDPOINT.port,
    socket: { data: () => {} },
  });
  using agent = new BenchAgent();
  await agent.fillCache(SERVICES);
  const boots: Boot[] = [];
  for (let i = 0; i < ROUNDS; i++) boots.push(await boot(agent));
  backend.stop();
  const figures = {
    nameMilliseconds: median(boots.map((b) => b.nameMilliseconds)),
    connectionMilliseconds: median(boots.map((b) => b.connectionMilliseconds)),
    residentMegabytes: median(boots.map((b) => b.residentMegabytes)),
    anonymousMegabytes: median(boots.map((b) => b.anonymousMegabytes)),
  };
  if (process.argv.includes("--json")) {
    console.log(JSON.stringify({ benchmark: "boot", services: SERVICES, ...figures, rounds: boots }));
    return 0;
  }
  const row = (what: string, n: number, unit: string) => `  ${what.padEnd(44)}${n.toFixed(0).padStart(8)} ${unit}`;
  console.log(
    [
      `Boot from the cache of ${SERVICES} services × 2 endpoints, no cloud, median of ${ROUNDS}`,
      row("exec to the first right DNS answer", figures.nameMilliseconds, "ms"),
      row("exec to the first connection to a service", figures.connectionMilliseconds, "ms"),
      row("memory then, resident", figures.residentMegabytes, "MB"),
      row("memory then, anonymous", figures.anonymousMegabytes, "MB"),
    ].join("\n"),
  );
  return 0;
}

process.exitCode = await main();
