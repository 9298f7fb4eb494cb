import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, DNS_ADDRESS, dig, EdgeWorld, PODS } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const [UPSTREAM, ELSEWHERE] = ["192.0.2.1", "192.0.2.66"];
const TRUTH = "198.51.100.1";
const PROGRAM = join(import.meta.dir, "../support/lying-upstream.ts");
/** RFC 8767 section 5. */
const STALE = { address: TRUTH, ttl: "30", error: "3 (Stale Answer)" };
/** Answers are stale after their second; an upstream is down after a few probes. */
const SOON = { timeout: seconds(15) };

let world: EdgeWorld;
let upstream: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  await world.cloud.ip(`address add ${ELSEWHERE}/24 dev eth0`);
  await startUpstream();
  await world.edge.writeFile("/etc/resolv.conf", `nameserver ${UPSTREAM}\n`);
  await world.startAgent();
  await waitFor("the name", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp);
  await waitFor("the upstream", async () => (await ask("true-0")).address === TRUTH, SOON);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

async function startUpstream(): Promise<void> {
  upstream = await world.cloud.spawn([process.execPath, PROGRAM, UPSTREAM, ELSEWHERE], { ready: /^ready$/m });
}

interface Asked {
  readonly address: string | undefined;
  readonly ttl: string | undefined;
  readonly error: string | undefined;
  readonly status: string | undefined;
}

async function ask(label: string): Promise<Asked> {
  const { stdout } = await world.client.run([
    "dig",
    "+tries=1",
    "+time=5",
    `@${DNS_ADDRESS}`,
    `${label}.example.com`,
    "A",
  ]);
  const [, ttl, address] = /^\S+\s+(\d+)\s+IN\s+A\s+(\S+)$/m.exec(stdout) ?? [];
  return { address, ttl, error: /EDE: (.*)/.exec(stdout)?.[1], status: /status: (\w+)/.exec(stdout)?.[1] };
}

const clusterNames = async () => expect(await dig(world.client, WEB.name)).toBe(WEB.clusterIp);

/** Ids and source ports of the questions for names with this beginning. */
function questions(beginning: string): readonly { readonly id: number; readonly port: number }[] {
  const lines = upstream.log.matchAll(new RegExp(`^asked ${beginning}\\S* (\\d+) (\\d+)$`, "gm"));
  return [...lines].map(([, id, port]) => ({ id: Number(id), port: Number(port) }));
}

test("answers that are forged in whatever way are passed over while the true one is awaited, and never kept", async () => {
  const rounds = effort(10, 200);
  for (let i = 0; i < rounds; i++) {
    expect(await ask(`forged-${i}`)).toMatchObject({ address: TRUTH, status: "NOERROR" });
    expect((await ask(`forged-${i}`)).address).toBe(TRUTH);
  }
  console.log(`forged answers: ${rounds * 17}, believed: none`);
  await clusterNames();
});

test("questions go out from ports and with ids that nobody can tell from those before", async () => {
  const count = effort(1000, 10_000);
  const names = Array.from({ length: count }, (_, i) => `true-port-${i}.example.com A`).join("\n");
  await world.client.output(["sh", "-c", "cat >/run/names"], { input: `${names}\n` });
  await world.client.output(["dnsperf", "-s", DNS_ADDRESS, "-d", "/run/names", "-n", "1", "-q", "20"]);
  const asked = questions("true-port-");
  const distinct = (values: readonly number[]) => new Set(values).size;
  const [ids, ports] = [asked.map(({ id }) => id), asked.map(({ port }) => port)];
  const near = (values: readonly number[]) =>
    values.filter((v, i) => i > 0 && Math.abs(v - (values[i - 1] ?? 0)) <= 64).length;
  const bits = Array.from({ length: 16 }, (_, bit) => ids.filter((id) => ((id >> bit) & 1) === 1).length / ids.length);
  console.log(
    `${asked.length} questions: ${distinct(ids)} ids, ${distinct(ports)} ports from ${Math.min(...ports)} to ${Math.max(...ports)}`,
  );
  console.log(
    `neighbours: ${near(ids)} ids, ${near(ports)} ports; ones in each bit of the ids: ${bits.map((b) => b.toFixed(2)).join(" ")}`,
  );
  expect(asked.length).toBeGreaterThanOrEqual(count);
  // Of n draws among m values n - n²/2m are distinct: 992 of 1000 ids, 982 ports of 28,232.
  expect(distinct(ids)).toBeGreaterThan(0.9 * count);
  expect(distinct(ports)).toBeGreaterThan(0.8 * count);
  expect(near(ids)).toBeLessThan(0.05 * count);
  expect(near(ports)).toBeLessThan(0.05 * count);
  for (const ones of bits) expect(Math.abs(ones - 0.5)).toBeLessThan(0.1);
});

describe("a name that was answered once is answered stale, for 30 s each time, when its upstream", () => {
  const trouble: readonly (readonly [string, () => Promise<() => Promise<unknown>>])[] = [
    [
      "is down",
      async () => {
        await upstream.kill();
        return startUpstream;
      },
    ],
    [
      "says nothing",
      async () => {
        const pause = upstream.pause();
        return async () => pause[Symbol.dispose]();
      },
    ],
    [
      "is out of reach",
      async () => {
        await world.uplink.unplug();
        return () => world.uplink.plug();
      },
    ],
  ];
  test.each(trouble)(
    "%s; and names are asked for anew when that is over",
    async (kind, begin) => {
      const label = `true-${kind.replaceAll(" ", "-")}`;
      expect((await ask(label)).address).toBe(TRUTH);
      const end = await begin();
      await waitFor("a stale answer", async () => Bun.deepMatch(STALE, await ask(label)), SOON);
      await waitFor("the condition", () => conditionOf(world.edge, "DNS_UPSTREAMS_DOWN"), SOON);
      expect(await ask(label)).toMatchObject(STALE);
      expect((await ask(`never-asked-${kind.replaceAll(" ", "-")}`)).status).toBe("SERVFAIL");
      await clusterNames();
      await end();
      await waitFor(
        "the end of the condition",
        async () => (await conditionOf(world.edge, "DNS_UPSTREAMS_DOWN")) === undefined,
        SOON,
      );
      // Not the same name: what failed is not tried again for half a minute (RFC 8767 section 5).
      expect(await ask(`${label}-again`)).toMatchObject({ address: TRUTH, ttl: "1" });
    },
    seconds(90),
  );
});

test(
  "a name whose own servers are slow or silent is waited for, and holds up no other",
  async () => {
    const slow = ask("slow-1");
    const silent = ask("silent-1");
    for (let i = 0; i < 10; i++) expect((await ask(`true-beside-${i}`)).address).toBe(TRUTH);
    await clusterNames();
    expect(await slow).toMatchObject({ address: TRUTH, status: "NOERROR" });
    expect((await silent).status).toBe("SERVFAIL");
    expect(await conditionOf(world.edge, "DNS_UPSTREAMS_DOWN")).toBeUndefined();
  },
  seconds(30),
);
