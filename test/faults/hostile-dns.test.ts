import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { EDNS_UDP_BYTES } from "../../src/wire/dns.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { addPod, DNS_ADDRESS, dig, EdgeWorld, PODS, ruleset, statusOf } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import type { DatagramReport, StreamReport } from "../support/hostile-dns-client.ts";
import { cpuSecondsOf, residentBytesOf } from "../support/process-usage.ts";
import { parsePrometheusText } from "../support/prometheus-text.ts";
import { askSteadily } from "../support/steady-client.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NAME = "web.default.svc.cluster.local";
const CLIENT = join(import.meta.dir, "../support/hostile-dns-client.ts");
const SEED = 20_261_121;
/** A second round of the same costs the agent no memory: what the first one took are its caches and its code. */
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;

let world: EdgeWorld;
let agent: LabProcess;
let hostile: Host;
let crowd: Host;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  hostile = await addPod(world.edge, "hostile", "10.244.1.66");
  crowd = await addPod(world.edge, "crowd", "10.244.1.67");
  agent = await world.startAgent();
  await waitFor("the name", async () => (await dig(world.client, "web")) === WEB.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

async function attack<T>(from: Host, ...words: readonly string[]): Promise<T> {
  const { stdout } = await from.run([process.execPath, CLIENT, ...words], { timeout: seconds(effort(60, 1800)) });
  return JSON.parse(stdout);
}

/** What it is besides its counters, and besides when it last looked at the kernel, which it does on its own. */
const state = async () => {
  const { dns, service, conditions } = await statusOf(world.edge);
  return JSON.stringify({
    dns,
    service: { ...service, lastApplied: undefined },
    conditions,
    ruleset: await ruleset(world.edge),
  });
};

async function counter(name: string, labels: object): Promise<number> {
  const page = await world.edge.output(["curl", "-s", "http://127.0.0.1:10560/metrics"]);
  const samples = parsePrometheusText(page).get(name)?.samples ?? [];
  return samples.filter((s) => Bun.deepMatch(labels, s.labels)).reduce((sum, { value }) => sum + value, 0);
}

test(
  "malformed datagrams get an error or nothing, no reply is longer than allowed, and nothing changes but counters",
  async () => {
    const count = effort(120_000, 10_000_000);
    // From the node itself: a pod is held to a rate, and most of it would never arrive.
    await attack(world.edge, "datagrams", DNS_ADDRESS, String(SEED), "20000");
    const [before, memory, cpu] = [await state(), residentBytesOf(agent.pid), cpuSecondsOf(agent.pid)];
    const answered = await counter("selvedge_dns_requests_total", {});
    const stop = await askSteadily(world.client, DNS_ADDRESS, NAME, WEB.clusterIp);
    const report = await attack<DatagramReport>(world.edge, "datagrams", DNS_ADDRESS, String(SEED + 1), String(count));
    const polite = await stop();
    const micros = ((cpuSecondsOf(agent.pid) - cpu) / count) * 1e6;
    console.log(`seed ${SEED}: ${count} datagrams, ${report.answered} answered`, report.rcodes);
    console.log(
      `largest reply ${report.largestReplyBytes} bytes; ${micros.toFixed(1)} µs of processor each, at 10,000 a second ${micros.toFixed(1)} %`,
    );
    console.log(`meanwhile a polite client: ${JSON.stringify(polite)}`);
    expect(report.faults).toEqual([]);
    expect(report.largestReplyBytes).toBeLessThanOrEqual(EDNS_UDP_BYTES);
    expect([polite.wrong, polite.lost]).toEqual([0, 0]);
    expect(await state()).toBe(before);
    expect(await counter("selvedge_dns_requests_total", {})).toBeGreaterThan(answered + report.answered);
    expect(agent.running).toBeTrue();
    const growth = residentBytesOf(agent.pid) - memory;
    console.log(`memory: ${(growth / 1024 / 1024).toFixed(1)} MB more`);
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
  },
  seconds(effort(60, 1800)),
);

test("queries from an address that no pod has get nothing, and change nothing but a counter", async () => {
  const before = await state();
  await hostile.ip("address add 203.0.113.9/32 dev lo");
  const foreign = await counter("selvedge_dns_dropped_total", { reason: "foreign" });
  const { stdout } = await hostile.run(["dig", "+tries=1", "+time=1", "-b", "203.0.113.9", `@${DNS_ADDRESS}`, NAME]);
  expect(stdout).toContain("no servers could be reached");
  expect(await counter("selvedge_dns_dropped_total", { reason: "foreign" })).toBe(foreign + 1);
  expect(await state()).toBe(before);
});

test(
  "slow, silent, oversized and deaf TCP clients are closed, and others are answered meanwhile",
  async () => {
    const attacking = attack<StreamReport>(hostile, "streams", DNS_ADDRESS);
    const many = await crowd.spawn(["bash", "-c", MANY_CONNECTIONS, "bash", DNS_ADDRESS], { ready: /^done$/m });
    await waitFor("connections turned away", () => counter("selvedge_dns_dropped_total", { reason: "connections" }));
    for (let i = 0; i < 20; i++) {
      const { stdout } = await world.client.run(["dig", "+tcp", "+short", "+tries=1", `@${DNS_ADDRESS}`, NAME]);
      expect(stdout.trim()).toBe(WEB.clusterIp);
      expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
    }
    const report = await attacking;
    console.log(report);
    expect(Object.entries(report).filter(([, { end }]) => end === "open")).toEqual([]);
    await many.stop();
    await waitFor("no connection left", async () => (await connections()) === "");
  },
  seconds(60),
);

const MANY_CONNECTIONS = `for i in $(seq 60); do exec {fd}<>/dev/tcp/$1/53 || exit; done; echo done; sleep 60`;
const connections = () => world.edge.output(["ss", "-tnH", "state", "established", "sport = :53"]);
