import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { cpuSecondsOf } from "../support/process-usage.ts";
import { DNS_ADDRESS } from "./cluster-world.ts";

/** A name server on the address that all servers of the benchmark share. */
export interface NameServer {
  readonly name: string;
  readonly port: number;
  readonly process: LabProcess;
}

export interface Throughput {
  readonly queriesPerSecond: number;
  readonly cpuSecondsPerQuery: number;
  readonly lost: number;
}

export interface Latencies {
  /** Of every query. */
  readonly seconds: readonly number[];
  readonly lost: number;
}

/** The server has the other core. */
export const CLIENT_CPU = "0";
const CLIENTS = 4;
const OUTSTANDING = 100;

/** As many queries as the server answers, with 100 on their way at a time. */
export async function measureThroughput(
  host: Host,
  server: NameServer,
  queries: string,
  lengthSeconds: number,
): Promise<Throughput> {
  const before = cpuSecondsOf(server.process.pid);
  const output = await dnsperf(host, server, queries, lengthSeconds, ["-q", String(OUTSTANDING)]);
  const used = cpuSecondsOf(server.process.pid) - before;
  return {
    queriesPerSecond: figure(output, /Queries per second:\s+([\d.]+)/),
    cpuSecondsPerQuery: used / figure(output, /Queries completed:\s+(\d+)/),
    lost: figure(output, /Queries lost:\s+(\d+)/),
  };
}

/** A fixed rate: what a query waits for then is the server, not the queries before it. */
export async function measureLatency(
  host: Host,
  server: NameServer,
  queries: string,
  lengthSeconds: number,
  queriesPerSecond: number,
): Promise<Latencies> {
  const output = await dnsperf(host, server, queries, lengthSeconds, ["-v", "-Q", String(queriesPerSecond)]);
  const times = [...output.matchAll(/^> NOERROR \S+ A (\d+\.\d+)$/gm)].map(([, text]) => Number(text));
  return { seconds: times, lost: figure(output, /Queries lost:\s+(\d+)/) };
}

/** @throws where an answer is not NOERROR: then it is something else that is measured */
async function dnsperf(
  host: Host,
  server: NameServer,
  queries: string,
  lengthSeconds: number,
  words: readonly string[],
): Promise<string> {
  const where = ["-s", DNS_ADDRESS, "-p", String(server.port), "-d", queries];
  const argv = ["dnsperf", ...where, "-l", String(lengthSeconds), "-c", String(CLIENTS), ...words];
  const output = await host.output(["taskset", "-c", CLIENT_CPU, ...argv]);
  const [completed, good] = [/Queries completed:\s+(\d+)/, /Response codes:\s+NOERROR (\d+)/];
  if (!(figure(output, completed) > 0) || figure(output, good) !== figure(output, completed))
    throw new Error(
      `Cannot measure ${server.name} as it does not answer everything: dnsperf says\n${output.slice(-2000)}`,
    );
  return output;
}

function figure(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1] ?? Number.NaN);
}
