import { afterAll, beforeAll, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { xorshift } from "../fuzz/random.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { addPod, backendsOf, DNS_ADDRESS, dig, EdgeWorld, PODS, statusOf } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { cpuSecondsOf, residentBytesOf } from "../support/process-usage.ts";
import { askSteadily } from "../support/steady-client.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const FLOOD_SECONDS = effort(2, 60);
const QUERIES_PER_SECOND = 200_000;
const NAMES = 50_000;
const SEED = 20_261_121;
/** One datagram in ten may be lost where the machine cannot take what is sent: who asks is told the second time. */
const LOST_MAX = 0.1;
/** All caches full: 8 MiB of prepared answers, 4 MiB of forwarded ones, what waits, and the heap's slack. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

let world: EdgeWorld;
let agent: LabProcess;
let flooder: Host;
let services = 0;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  flooder = await addPod(world.edge, "flooder", "10.244.1.66");
  // The cloud is there, and no name server on it: an upstream that refuses. The other address is nobody's: one that is silent.
  await world.edge.writeFile("/etc/resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.99\n");
  agent = await world.startAgent();
  await waitFor("the name", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

const KINDS: readonly (readonly [string, (word: string) => string])[] = [
  ["names that the cluster does not have", (word) => `${word}.default.svc.cluster.local A`],
  ["names of the world outside, of which no server answers", (word) => `${word}.example.com A`],
  [
    "one name that the cluster has, and ever other types",
    (word) => `web.default.svc.cluster.local TYPE${Number.parseInt(word, 36) % 60_000}`,
  ],
];

test.each(KINDS)(
  `under ${QUERIES_PER_SECOND} queries a second for %s, other pods are answered, and services change`,
  async (_, line) => {
    const random = xorshift(SEED);
    const lines = Array.from({ length: NAMES }, () => line(random().toString(36)));
    await flooder.output(["sh", "-c", "cat >/run/names"], { input: `${lines.join("\n")}\n` });
    const [memory, cpu] = [residentBytesOf(agent.pid), cpuSecondsOf(agent.pid)];
    const words = `-l ${FLOOD_SECONDS} -Q ${QUERIES_PER_SECOND} -c 16 -q 2000 -t 1`;
    const flood = await flooder.spawn(
      ["stdbuf", "-oL", "dnsperf", "-s", DNS_ADDRESS, "-d", "/run/names", ...words.split(" ")],
      {
        ready: /Sending queries/,
      },
    );
    const stop = await askSteadily(world.client, DNS_ADDRESS, "web.default.svc.cluster.local", WEB.clusterIp);
    let changes = 0;
    while (flood.running) {
      const added = { name: `new-${services}`, clusterIp: `10.96.1.${services++}`, endpoints: [PODS["web-1"]] };
      await world.declare(added);
      await waitFor("the change", async () => (await backendsOf(world.client, added.clusterIp)).join() === "web-1");
      expect((await statusOf(world.edge)).source.connected).toBeTrue();
      changes += 1;
    }
    const polite = await stop();
    const sent = Number(/Queries sent:\s+(\d+)/.exec(flood.log)?.[1]);
    const used = ((cpuSecondsOf(agent.pid) - cpu) / FLOOD_SECONDS).toFixed(2);
    const growth = residentBytesOf(agent.pid) - memory;
    console.log(
      `flood: ${Math.round(sent / FLOOD_SECONDS)} queries a second sent; the agent took ${used} processors, ${Math.round(growth / 1e6)} MB; ${changes} services changed meanwhile\nanother pod: ${JSON.stringify(polite)}`,
    );
    expect(sent).toBeGreaterThan(10_000 * FLOOD_SECONDS);
    expect(polite.asked).toBeGreaterThan(50);
    expect(polite.wrong).toBe(0);
    expect(polite.lost).toBeLessThan(LOST_MAX * polite.asked);
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);
    expect(agent.running).toBeTrue();
  },
  seconds(FLOOD_SECONDS + 60),
);
