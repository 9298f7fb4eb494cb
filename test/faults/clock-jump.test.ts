import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { AGENT, backendsOf, conditionOf, dig, EdgeWorld, HUB_URL, PODS, statusOf } from "../support/edge-world.ts";
import { KernelChanges } from "../support/kernel-changes.ts";
import { processorSeconds } from "../support/process-time.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
const UPSTREAM = join(import.meta.dir, "../support/counting-upstream.ts");
const CLOUD = new URL(HUB_URL).hostname;
const OUTSIDE = { name: "www.example.com", address: "203.0.113.7" };
/** Of a processor: a loop that turns would take a whole one. */
const SHARE_MOST = 0.5;
const SOON = { timeout: seconds(30) };

const folder = mkdtempSync(join(tmpdir(), "selvedge-clock-"));
const CLOCK = join(folder, "clock");
/** libfaketime puts another time of day under the one program that it is loaded into; timers' own clock stays. */
const FAKE_TIME = [
  "env",
  "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  `FAKETIME_TIMESTAMP_FILE=${CLOCK}`,
  "FAKETIME_NO_CACHE=1",
  "FAKETIME_DONT_FAKE_MONOTONIC=1",
];

const startAgent = (args: readonly string[]) =>
  world.edge.spawn([...FAKE_TIME, AGENT, "run", ...args], { ready: /agent\.ready/ });

/** @param offset from now, as faketime(1) has it: "+1d", "-10y" */
function setClock(offset: string): void {
  writeFileSync(`${CLOCK}.new`, offset);
  renameSync(`${CLOCK}.new`, CLOCK);
}

let world: EdgeWorld;
let agent: LabProcess;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  // Where libfaketime keeps its state: that of whoever is killed stays.
  await world.edge.output(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]);
}, seconds(30));
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const works = () =>
  waitFor("the service", async () => (await backendsOf(world.client, WEB.clusterIp)).length === 2, SOON);
const flows = () => world.edge.output(["ss", "-tnH", "state", "established", `dport = :${new URL(HUB_URL).port}`]);

async function outside(): Promise<string> {
  const argv = ["dig", "+short", "+tries=1", "+time=2", "@169.254.25.10", OUTSIDE.name];
  return (await world.client.run(argv)).stdout.trim();
}

describe("a clock that is set while the agent runs", () => {
  test(
    "expires nothing, opens no connection anew, and makes nobody turn in circles",
    async () => {
      const upstream = await world.cloud.spawn([process.execPath, UPSTREAM, CLOUD, OUTSIDE.address], {
        ready: /ready/,
      });
      const asked = () => upstream.log.match(/asked/g)?.length ?? 0;
      setClock("+0");
      agent = await startAgent([`--dns-upstream=${CLOUD}`]);
      await works();
      expect(await outside()).toBe(OUTSIDE.address);
      const connections = await waitFor("all watches", async () => {
        const open = await flows();
        return open.trim().split("\n").length === 7 && open;
      });
      const changes = await KernelChanges.watch(world.edge);
      const [seenBefore, askedBefore] = [await changes.seen(), asked()];

      const steps = Array.from({ length: 20 }, (_, step) => (step % 2 === 0 ? "+0.5s" : "-0.5s"));
      const jumps = ["+1d", "-1d", "+10y", "-10y", "+0", ...steps, "+0"];
      const [start, spent] = [performance.now(), processorSeconds(agent.pid)];
      for (const jump of jumps) {
        setClock(jump);
        expect([jump, await dig(world.client, "web")]).toEqual([jump, WEB.clusterIp]);
        expect([jump, await outside()]).toEqual([jump, OUTSIDE.address]);
        expect([jump, (await statusOf(world.edge)).source.connected]).toEqual([jump, true]);
        expect([jump, await world.edge.output(["curl", "-s", "http://127.0.0.1:10560/livez"])]).toEqual([jump, "ok"]);
      }
      const share = (1000 * (processorSeconds(agent.pid) - spent)) / (performance.now() - start);
      expect(asked()).toBe(askedBefore);
      expect((await flows()).replace(/^\d+\s+\d+\s+/gm, "")).toBe(connections.replace(/^\d+\s+\d+\s+/gm, ""));
      expect(await changes.seen()).toEqual(seenBefore);
      expect(share).toBeLessThan(SHARE_MOST);
      for (const offset of ["+10y", "-10y"]) {
        setClock(offset);
        await world.declare({ ...NEW, name: `new${offset.charCodeAt(0)}` });
        const name = `new${offset.charCodeAt(0)}`;
        await waitFor("a change", async () => (await dig(world.client, name)) === NEW.clusterIp, SOON);
        await world.cached(name);
      }
      console.log(
        `${jumps.length} jumps: answers expired: none, connections opened anew: none, changes of the kernel: none, ` +
          `${Math.round(100 * share)} % of a processor meanwhile`,
      );
    },
    seconds(90),
  );
});

describe("a node that boots with a wrong clock", () => {
  beforeAll(async () => {
    const script = `
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=hub \
        -addext subjectAltName=IP:${CLOUD} -keyout "$1/key.pem" -out "$1/cert.pem" 2>"$1/log"`;
    await world.cloud.output(["sh", "-euc", script, "sh", folder]);
    const tls = `OPENSSL-LISTEN:8443,bind=${CLOUD},fork,reuseaddr,cert=${folder}/cert.pem,key=${folder}/key.pem,verify=0`;
    await world.cloud.spawn(["socat", tls, `TCP:${new URL(HUB_URL).host}`], {
      ready: async () => (await world.cloud.output(["ss", "-ltnH", "sport = :8443"])) !== "",
    });
  }, seconds(30));

  test.each(["-10y", "+10y"])(
    "serves from its cache at %s, says that the source's certificate does not hold, and follows it once the clock is set",
    async (offset) => {
      await agent?.kill();
      const args = [`--source-url=https://${CLOUD}:8443`, `--ca-file=${folder}/cert.pem`];
      setClock("+0");
      const first = await startAgent(args);
      await waitFor("the cloud", async () => (await statusOf(world.edge)).source.connected, SOON);
      await works();
      await world.cached(WEB.clusterIp);
      await first.kill();
      await world.edge.output(["nft", "flush", "ruleset"]);

      setClock(offset);
      agent = await startAgent(args);
      expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
      await works();
      const away = await waitFor("the certificate", () => conditionOf(world.edge, "SOURCE_REFUSED"), SOON);
      expect(away).toMatchObject({ severity: "degraded", hint: expect.stringContaining("clock") });
      expect(away.message).toMatch(/CERT_NOT_YET_VALID|CERT_HAS_EXPIRED/);
      expect((await statusOf(world.edge)).ready).toBeTrue();
      const spent = processorSeconds(agent.pid);
      const start = performance.now();
      setClock("+0");
      await waitFor("the cloud again", async () => (await statusOf(world.edge)).source.connected, SOON);
      const share = (1000 * (processorSeconds(agent.pid) - spent)) / (performance.now() - start);
      expect(share).toBeLessThan(SHARE_MOST);
    },
    seconds(90),
  );
});
