import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CacheStore } from "../../edge/cache/store.ts";
import type { Random } from "../../src/base/backoff.ts";
import { seconds } from "../../src/base/duration.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, PODS, ruleset, statusOf } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { numberedObjects, numberedService } from "../support/many-services.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";

/** In both generations on disk. */
const MANY = 60;
const LAST = numberedService(MANY - 1);
/** Came after the copy was made. */
const LATE = { name: "late", clusterIp: "10.96.0.30", endpoints: [PODS["web-2"]] };
const DAMAGES = effort(48, 600);
const BLOCK = 512;
const SOON = { timeout: seconds(20) };

let world: EdgeWorld;
let sound: string;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declareObjects("many", numberedObjects(MANY));
  let agent = await world.startAgent();
  await waitFor("the last", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp, SOON);
  await world.cached(LAST.clusterIp);
  await agent.stop();
  const store = new CacheStore(world.stateDir);
  store.load(() => undefined);
  store.keepPrevious();
  store.close();
  agent = await world.startAgent();
  await world.declare(LATE);
  await waitFor("what came late", async () => (await dig(world.client, LATE.name)) === LATE.clusterIp, SOON);
  await waitFor("it in the kernel", async () => (await ruleset(world.edge)).includes(LATE.clusterIp));
  await agent.stop();
  await world.stopHub();
  sound = `${world.stateDir}-sound`;
  mkdirSync(sound);
  copyFiles(world.stateDir, sound);
}, seconds(60));
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  if (sound !== undefined) rmSync(sound, { recursive: true, force: true });
});

function copyFiles(from: string, to: string): void {
  for (const name of readdirSync(to)) rmSync(join(to, name));
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name));
}

/** What flash, power cuts and people do to files. Each changes the bytes, or returns others. */
const DAMAGE: Readonly<Record<string, (bytes: Buffer, at: (most: number) => number) => Buffer>> = {
  "one bit flipped": (bytes, at) => {
    const place = at(bytes.length);
    bytes[place] = (bytes[place] ?? 0) ^ (1 << at(8));
    return bytes;
  },
  "a hundred bits flipped": (bytes, at) => {
    for (let flip = 0; flip < 100; flip++) DAMAGE["one bit flipped"]?.(bytes, at);
    return bytes;
  },
  "a block of zeros": (bytes, at) => bytes.fill(0, ...blockOf(bytes, at)),
  "a block of ones, as erased flash has": (bytes, at) => bytes.fill(0xff, ...blockOf(bytes, at)),
  "two blocks exchanged": (bytes, at) => {
    const [one, other] = [blockOf(bytes, at), blockOf(bytes, at)];
    const kept = Buffer.from(bytes.subarray(...one));
    bytes.copy(bytes, one[0], ...other);
    kept.copy(bytes, other[0]);
    return bytes;
  },
  "cut short": (bytes, at) => bytes.subarray(0, at(bytes.length)),
  "nothing but zeros": (bytes) => bytes.fill(0),
  "another program's file": () => Buffer.from("not a database at all\n".repeat(1000)),
};

function blockOf(bytes: Buffer, at: (most: number) => number): [number, number] {
  const start = BLOCK * at(bytes.length / BLOCK);
  return [start, start + BLOCK];
}

function damage(kind: string, random: Random): void {
  const file = join(world.stateDir, "cache.db");
  const changed = DAMAGE[kind]?.(readFileSync(file), (most) => Math.floor(random() * most));
  if (changed !== undefined) writeFileSync(file, changed);
}

/** The rules of the services that both generations have, without handles. */
async function rulesOfMany(): Promise<readonly string[]> {
  const text = await ruleset(world.edge);
  return [...text.matchAll(/10\.112\.0\.\d+ \. tcp[^,}]*/g)].map(([element]) => element.trim()).sort();
}

describe("a damaged cache, on a node without its cloud", () => {
  test(
    `is noticed, made whole from the generation before, and takes nothing out of the kernel (${DAMAGES} damages)`,
    async () => {
      const seed = testSeed();
      const random = seededRandom(seed);
      const before = await rulesOfMany();
      expect(before.length).toBe(2 * MANY);
      let alarms = 0;
      for (let number = 0; number < DAMAGES; number++) {
        const kind = Object.keys(DAMAGE)[number % Object.keys(DAMAGE).length] ?? "";
        const what = `damage ${number} of seed ${seed}: ${kind}`;
        copyFiles(sound, world.stateDir);
        damage(kind, random);
        const agent = await world.startAgent();
        const { service, conditions } = await statusOf(world.edge);
        const alarm = conditions.some(({ code, severity }) => code === "CACHE_CORRUPT" && severity === "degraded");
        expect([what, service.services >= MANY]).toEqual([what, true]);
        // What does no harm, in bytes that mean nothing, needs no alarm.
        expect([what, alarm || service.services === MANY + 1]).toEqual([what, true]);
        expect([what, await rulesOfMany()]).toEqual([what, before]);
        expect([what, await dig(world.client, LAST.name)]).toEqual([what, LAST.clusterIp]);
        if (alarm) {
          alarms += 1;
          expect([what, existsSync(join(world.stateDir, "cache.corrupt.db"))]).toEqual([what, true]);
        }
        await agent.stop();
      }
      console.log(
        `seed ${seed}: damages ${DAMAGES}, noticed ${alarms}, harmless ${DAMAGES - alarms}, ` +
          `services lost of ${MANY}: none, rules lost: none`,
      );
    },
    effort(180, 1800) * 1000,
  );

  test(
    "that nothing can be read of, nor of the generation before, leaves the kernel as it is until the cloud has spoken",
    async () => {
      copyFiles(sound, world.stateDir);
      const rubbish = Buffer.alloc(8192, 0x5a);
      for (const name of ["cache.db", "cache.previous.db"]) writeFileSync(join(world.stateDir, name), rubbish);
      await world.edge.output(["nft", "flush", "ruleset"]);
      await world.startHub();
      const first = await world.startAgent();
      await waitFor("it", async () => (await backendsOf(world.client, LATE.clusterIp)).join() === "web-2", SOON);
      await waitFor("the kernel", async () => (await rulesOfMany()).length === 2 * MANY, SOON);
      await first.stop();
      await world.stopHub();
      for (const name of ["cache.db", "cache.previous.db"]) writeFileSync(join(world.stateDir, name), rubbish);
      const before = await ruleset(world.edge);

      await world.startAgent();
      expect(await conditionOf(world.edge, "CACHE_CORRUPT")).toMatchObject({
        component: "cache",
        severity: "degraded",
      });
      expect(await conditionOf(world.edge, "SERVICES_KEPT")).toMatchObject({ severity: "info" });
      expect(readFileSync(join(world.stateDir, "cache.corrupt.db"))).toEqual(rubbish);
      expect(await ruleset(world.edge)).toBe(before);
      expect(await backendsOf(world.client, LATE.clusterIp)).toEqual(["web-2"]);

      await world.startHub();
      await waitFor("the names", async () => (await dig(world.client, LATE.name)) === LATE.clusterIp, SOON);
      await waitFor("health", async () => (await conditionOf(world.edge, "CACHE_CORRUPT")) === undefined, SOON);
      expect(await ruleset(world.edge)).toBe(before);
      await world.cached(LATE.clusterIp);
    },
    seconds(60),
  );
});
