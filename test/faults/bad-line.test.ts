import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { BadLine } from "../lab/bad-line.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { PlainConnector } from "../lab/plain-connector.ts";
import { waitFor } from "../lab/wait-for.ts";
import { testSeed } from "../support/seeded-random.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { CONNECTOR, POOL, type StartedEdge, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

/** What users are promised of such a line: whatever changes is so within this. */
const CONVERGENCE = { timeout: seconds(30) };
/** Each way, so that 36 of 100 questions have no answer, and an answer takes 500 to 700 ms. */
const CONDITIONS = {
  ...{ delay: milliseconds(250), jitter: milliseconds(100), loss: 0.2, duplication: 0.1 },
  seed: testSeed(),
};
const PINGS = 150;
/** Of each kind of traffic. Doubt arises after half a second. */
const TRAFFIC_SECONDS = 8;

let world: TunnelWorld;
let edge: EdgeNode;
let other: EdgeNode;
let clouds: readonly CloudNode[];
let line: BadLine;
let started: StartedEdge;
const connectors = new Map<string, PlainConnector>();

beforeAll(async () => {
  world = await TunnelWorld.create({ clouds: 2, edges: 2 });
  [edge, other] = [world.edge(1), world.edge(2)];
  clouds = [world.cloud(1), world.cloud(2)];
  for (const node of clouds) connectors.set(node.publicAddress, await world.startPoolConnector(node));
  await world.startEdge(other, []);
  line = await BadLine.insert(world.network.lab, edge.uplink, CONDITIONS);
  process.stdout.write(`seed ${CONDITIONS.seed}\n`);
}, seconds(120));
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function uniqueId(): Promise<number> {
  const found = (await tunnelsOf(edge)).find(({ peer }) => peer === CONNECTOR);
  return found?.ike?.uniqueId ?? Number.NaN;
}

/** As the other ends see it, with their numbers and SPIs: whoever goes back and forth leaves others. */
async function associationsAtConnectors(): Promise<readonly string[]> {
  const lists = await Promise.all([...connectors.values()].map(({ charon }) => charon.swanctl("--list-sas")));
  return lists.flatMap((list) => list.match(/^\S+: #\d+, ESTABLISHED, IKEv2, \w+/gm) ?? []);
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

async function oneAnswer(to: string): Promise<void> {
  const once = ["ping", "-n", "-c", "1", "-W", "2", to];
  await waitFor(`an answer of ${to}`, async () => (await edge.pod.run(once)).code === 0, CONVERGENCE);
}

describe("an edge node whose line loses a fifth of all packets, and is slow, and mixes and doubles the rest", () => {
  test("sees a line as bad as that", async () => {
    const to = clouds[0]?.publicAddress ?? "";
    const { stdout } = await edge.host.run(["ping", "-n", "-i", "0.02", "-c", `${PINGS}`, "-W", "2", to]);
    const order = [...stdout.matchAll(/icmp_seq=(\d+)/g)].map(([, number]) => Number(number));
    const answers = new Set(order).size;
    expect(answers).toBeGreaterThan(PINGS * 0.48);
    expect(answers).toBeLessThan(PINGS * 0.8);
    expect(Number(/rtt min\S* = ([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThan(2 * CONDITIONS.delay);
    expect(count(stdout, /\(DUP!\)/g)).toBeGreaterThan(0);
    expect(order.some((number, i) => number < (order[i - 1] ?? 0))).toBe(true);
  }, 30_000);

  test(
    "has its tunnel within 30 seconds",
    async () => {
      started = await world.startEdge(edge, [world.poolEndpoint(...clouds)]);
      await tunnelUp(edge, CONNECTOR, CONVERGENCE);
      await oneAnswer(POOL.pod);
    },
    seconds(80),
  );

  test(
    "keeps it, with traffic both ways, one way, and none but charon's own questions",
    async () => {
      const before = { id: await uniqueId(), atConnectors: await associationsAtConnectors() };
      const both = await SteadyPing.start(edge.pod, POOL.pod);
      await edge.pod.run(["ping", "-n", "-i", "0.05", "-w", `${TRAFFIC_SECONDS}`, POOL.pod]);
      expect((await both.stop()).lost).toBeGreaterThan(PINGS / 5);
      // UDP that nobody answers: only echo requests tell that the tunnel lives.
      const say = `for i in $(seq 1 ${TRAFFIC_SECONDS * 10}); do echo x; sleep 0.1; done`;
      await edge.pod.output(["sh", "-c", `${say} | socat -u - UDP-SENDTO:${POOL.pod}:9999`]);
      const asked = () => count(started.charon.log, /sending DPD request/g);
      const askedBefore = asked();
      await waitFor("two questions of charon's", () => asked() >= askedBefore + 2, { timeout: seconds(45) });
      expect({ id: await uniqueId(), atConnectors: await associationsAtConnectors() }).toEqual(before);
      expect(started.charon.log).not.toMatch(/giving up after/);
    },
    seconds(90),
  );

  test(
    "reaches a new peer within 30 seconds",
    async () => {
      await world.configure(other, [world.endpoint(edge)]);
      await world.configure(edge, [world.poolEndpoint(...clouds), world.endpoint(other)]);
      await tunnelUp(edge, `paris.${other.name}`, CONVERGENCE);
      await oneAnswer(other.podAddresses[0]);
    },
    seconds(80),
  );

  test(
    "is at the other connector within 30 seconds when the one is taken from it",
    async () => {
      const own = (await tunnelsOf(edge)).find(({ peer }) => peer === CONNECTOR)?.ike?.remote.address;
      const rest = clouds.filter(({ publicAddress }) => publicAddress !== own);
      expect(rest).toHaveLength(1);
      await world.configure(edge, [world.poolEndpoint(...rest), world.endpoint(other)]);
      await waitFor(
        "the other connector",
        async () => {
          const tunnel = (await tunnelsOf(edge)).find(({ peer }) => peer === CONNECTOR);
          return tunnel?.state === "up" && tunnel.ike?.remote.address === rest[0]?.publicAddress;
        },
        CONVERGENCE,
      );
      await oneAnswer(POOL.pod);
    },
    seconds(80),
  );
});
