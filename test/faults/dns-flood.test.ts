import { afterAll, beforeAll, expect, test } from "bun:test";
import { DNS_CLIENT_RATE } from "../../edge/service/ruleset-dns.ts";
import { seconds } from "../../src/base/duration.ts";
import { xorshift } from "../fuzz/random.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { flood, type Question, sentBy } from "../support/dns-flood.ts";
import { addPod, backendsOf, DNS_ADDRESS, dig, EdgeWorld, PODS, statusOf } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { cpuSecondsOf, residentBytesOf } from "../support/process-usage.ts";
import { askSteadily } from "../support/steady-client.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const FLOOD_SECONDS = effort(2, 60);
const CALM_CHANGES = 3;
const QUERIES_PER_SECOND = 200_000;
const NAMES = 50_000;
const SEED = 20_261_121;
/** All caches full: 8 MiB of prepared answers, 4 MiB of forwarded ones, what waits, and the heap's slack. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;
/**
 * What a flood may add to another pod's slowest answers: it takes one of two processors, and the asking program itself
 * has to wait for its turn. Resolvers ask again after five seconds.
 */
const LATER_MS = 1000;
/** The server's receive buffer holds what a client may send meanwhile: only where the agent had to wait longer is anything lost. */
const BUFFERED_MS = 400;
const LOST_MAX = 0.1;

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

const KINDS: readonly (readonly [string, (word: string) => Question])[] = [
  ["names that the cluster does not have", (word) => ({ name: `${word}.default.svc.cluster.local`, type: 1 })],
  ["names of the world outside, of which no server answers", (word) => ({ name: `${word}.example.com`, type: 1 })],
  [
    "one name that the cluster has, and ever other types",
    (word) => ({ name: "web.default.svc.cluster.local", type: Number.parseInt(word, 36) % 60_000 }),
  ],
];

const askPolitely = () => askSteadily(world.client, DNS_ADDRESS, "web.default.svc.cluster.local", WEB.clusterIp);

async function changeServices(): Promise<void> {
  const added = { name: `new-${services}`, clusterIp: `10.96.1.${services++}`, endpoints: [PODS["web-1"]] };
  await world.declare(added);
  await waitFor("the change", async () => (await backendsOf(world.client, added.clusterIp)).join() === "web-1");
  expect((await statusOf(world.edge)).source.connected).toBeTrue();
}

/** Of the node's table, those to DNS, or from it. */
async function connections(): Promise<string> {
  const list = (end: string) => world.edge.output(["conntrack", "-L", "-p", "udp", end, DNS_ADDRESS]);
  return (await list("-d")) + (await list("-s"));
}

/** As `nft` says. */
async function droppedPackets(): Promise<number> {
  const chain = await world.edge.output(["nft", "list", "chain", "ip", "selvedge", "dns-query"]);
  return Number(/counter packets (\d+)/.exec(chain)?.[1]);
}

test.each(KINDS)(
  `under ${QUERIES_PER_SECOND} queries a second for %s, other pods are answered, and services change`,
  async (_, question) => {
    const stopCalm = await askPolitely();
    for (let i = 0; i < CALM_CHANGES; i++) await changeServices();
    const calm = await stopCalm();

    const random = xorshift(SEED);
    const questions = Array.from({ length: NAMES }, () => question(random().toString(36)));
    const [memory, cpu] = [residentBytesOf(agent.pid), cpuSecondsOf(agent.pid)];
    const droppedBefore = await droppedPackets();
    const flooding = await flood({
      host: flooder,
      server: DNS_ADDRESS,
      questions,
      perSecond: QUERIES_PER_SECOND,
      seconds: FLOOD_SECONDS,
    });
    const stop = await askPolitely();
    let changes = 0;
    while (flooding.running) {
      await changeServices();
      changes += 1;
    }
    const polite = await stop();
    const sent = sentBy(flooding);
    const dropped = (await droppedPackets()) - droppedBefore;
    const used = ((cpuSecondsOf(agent.pid) - cpu) / FLOOD_SECONDS).toFixed(2);
    const growth = residentBytesOf(agent.pid) - memory;
    console.log(
      `flood: ${Math.round(sent / FLOOD_SECONDS)} queries a second sent, ${Math.round((sent - dropped) / FLOOD_SECONDS)} taken; the agent took ${used} processors, ${Math.round(growth / 1e6)} MB; ${changes} services changed meanwhile\nanother pod before: ${JSON.stringify(calm)}\nanother pod: ${JSON.stringify(polite)}`,
    );
    const { packetsPerSecond, burst } = DNS_CLIENT_RATE;
    expect(dropped).toBeGreaterThan(0);
    expect(sent - dropped).toBeLessThan(burst + packetsPerSecond * (FLOOD_SECONDS + 1));
    expect(await connections()).toBe("");
    expect(polite.asked).toBeGreaterThan(50);
    expect(polite.wrong).toBe(0);
    if (polite.worstMilliseconds < BUFFERED_MS) expect(polite.lost).toBe(0);
    else expect(polite.lost).toBeLessThan(LOST_MAX * polite.asked);
    expect(polite.p99Milliseconds).toBeLessThan(calm.p99Milliseconds + LATER_MS);
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
    expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);
    expect(agent.running).toBeTrue();
  },
  seconds(FLOOD_SECONDS + 60),
);
