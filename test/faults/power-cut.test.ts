import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CacheStore } from "../../edge/cache/store.ts";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { CrashDisk, type DiskState, diskDigest, writeDisk } from "../support/crash-disk.ts";
import { type DiskCall, readTrace, traceCommand } from "../support/disk-trace.ts";
import { AGENT, EdgeWorld, PODS, statusOf } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { loadWhole } from "../support/loaded-store.ts";
import { numberedObjects } from "../support/many-services.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";

const SERVICES = 20;
/** What sectors were written of what was under way is drawn so often for each call. */
const DRAWS = effort(4, 40);
/** The compiled agent is started on so many of the different disks that come of it. */
const STARTS = effort(60, 1000);
const FILES = ["cache", "cache.next", "cache.previous", "cache.corrupt"].flatMap((name) =>
  ["", "-wal", "-journal"].map((suffix) => `${name}.db${suffix}`),
);
/** The agent syncs its cache a minute after a change, and copies it then. */
const SYNCED = { timeout: seconds(90) };

const scratch = mkdtempSync(join(tmpdir(), "selvedge-power-"));
let world: EdgeWorld;
/** What the first test leaves: a cache and the generation before it. */
let lived: DiskState = new Map();

beforeAll(async () => {
  world = await EdgeWorld.create();
}, seconds(30));
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

/** Runs the agent while every call on its cache is written down. @returns the calls */
async function record(name: string, live: () => Promise<void>): Promise<readonly DiskCall[]> {
  const output = join(scratch, name);
  const argv = [...traceCommand(output, world.stateDir, FILES), AGENT, "run"];
  const tracer = await world.edge.spawn(argv, { ready: /agent\.ready/ });
  await live();
  process.kill(tracee(tracer), "SIGTERM");
  expect(await tracer.exited).toBe(0);
  return readTrace(output, world.stateDir);
}

function tracee({ pid }: LabProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim());
}

const readFolder = (folder: string): DiskState =>
  new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
const declare = (endpoint: string, count = SERVICES) =>
  world.declareObjects("many", numberedObjects(count, [endpoint]));

interface Opened {
  /** Objects, tombstones, watermarks and source, as one text: what a start makes of the disk. */
  readonly content: string;
  readonly services: number;
  readonly trouble: string | undefined;
}

let opened = 0;

function open(disk: DiskState): Opened {
  const folder = join(scratch, `open-${opened++}`);
  writeDisk(disk, folder);
  const store = new CacheStore(folder);
  const { state, trouble } = loadWhole(store);
  store.close();
  rmSync(folder, { recursive: true });
  const objects = [...state.objects].sort((one, other) =>
    `${one.kind} ${one.key}` < `${other.kind} ${other.key}` ? -1 : 1,
  );
  const content = JSON.stringify([objects, state.tombstones, [...state.watermarks].sort(), state.source]);
  return { content, services: objects.filter(({ kind }) => kind === "Service").length, trouble: trouble?.message };
}

interface Replay {
  readonly disks: ReadonlyMap<string, { readonly disk: DiskState; readonly opened: Opened }>;
  readonly cuts: number;
  /** The different contents that the program had written, in order. */
  readonly contents: readonly string[];
}

/** Cuts the power after each call, with everything written, nothing that was not synced, and draws in between. */
function replay(before: DiskState, calls: readonly DiskCall[], seed: number): Replay {
  const random = seededRandom(seed);
  const disk = new CrashDisk(before);
  const disks = new Map<string, { disk: DiskState; opened: Opened }>();
  const look = (state: DiskState): Opened => {
    const digest = diskDigest(state);
    let known = disks.get(digest);
    if (known === undefined) {
      known = { disk: state, opened: open(state) };
      disks.set(digest, known);
    }
    return known.opened;
  };
  const contents = [look(disk.whole()).content];
  let sure = 0;
  let cuts = 0;
  for (const [number, call] of calls.entries()) {
    disk.apply(call);
    const { content } = look(disk.whole());
    if (content !== contents.at(-1)) contents.push(content);
    if (disk.isSynced) sure = contents.length - 1;
    const states = [disk.whole(), disk.leastSynced(), ...Array.from({ length: DRAWS }, () => disk.torn(random))];
    for (const [variant, state] of states.entries()) {
      cuts += 1;
      const what = `seed ${seed}, call ${number} (${call.call}), variant ${variant}`;
      const known = contents.slice(sure).includes(look(state).content);
      expect([what, known]).toEqual([what, true]);
    }
  }
  return { disks, cuts, contents };
}

/** Starts the compiled agent on some of the disks, without cloud. @returns on how many */
async function startOn({ disks }: Replay, seed: number, trouble: boolean): Promise<number> {
  const random = seededRandom(seed);
  const chosen = [...disks.values()].sort(() => random() - 0.5).slice(0, STARTS / 2);
  for (const { disk, opened } of chosen) {
    rmSync(world.stateDir, { recursive: true });
    writeDisk(disk, world.stateDir);
    const agent = await world.startAgent();
    const { service, conditions } = await statusOf(world.edge);
    expect(service.services).toBe(opened.services);
    const ofCache = conditions.filter(({ component }) => component === "cache").map(({ code }) => code);
    expect(ofCache).toEqual(trouble && opened.trouble !== undefined ? ["CACHE_CORRUPT"] : []);
    await agent.kill();
    await world.edge.output(["nft", "flush", "ruleset"]);
  }
  return chosen.length;
}

test(
  "a power cut at any call that writes the cache leaves what was written before or after, whole, and not older than what was synced",
  async () => {
    const seed = testSeed();
    const calls = await record("life", async () => {
      await declare(PODS["web-1"]);
      await world.cached("10.112.0.19");
      await declare(PODS["web-2"]);
      await world.cached(PODS["web-2"]);
      await waitFor("the copy", () => readdirSync(world.stateDir).includes("cache.previous.db"), SYNCED);
      await declare(PODS["web-1"], SERVICES / 2);
      await waitFor("fewer", async () => (await statusOf(world.edge)).service.services === SERVICES / 2);
    });
    await world.stopHub();
    lived = readFolder(world.stateDir);
    const life = replay(new Map(), calls, seed);
    expect(life.contents.length).toBeGreaterThan(3);
    expect([...life.disks.values()].map(({ opened }) => opened.trouble).filter((text) => text !== undefined)).toEqual(
      [],
    );
    const started = await startOn(life, seed, false);
    console.log(
      `seed ${seed}: power cuts ${life.cuts} at ${calls.length} calls, ${life.disks.size} different disks, ${started} of them ` +
        "under the compiled agent; half-written states: none; synced bytes of the database lost: none",
    );
  },
  seconds(effort(300, 900)),
);

test(
  "a power cut while a damaged cache is repaired leaves the damaged one or the repaired one, and nothing of either is lost",
  async () => {
    const seed = testSeed();
    const damaged = new Map(lived);
    const bytes = Buffer.from(damaged.get("cache.db") ?? []);
    bytes.fill(0, 4096, 8192);
    damaged.set("cache.db", bytes);
    damaged.delete("cache.db-wal");
    rmSync(world.stateDir, { recursive: true });
    writeDisk(damaged, world.stateDir);
    const saved = open(damaged);
    expect(saved.trouble).toContain("damaged");
    expect(saved.services).toBeGreaterThan(0);
    const calls = await record("repair", async () => {
      await waitFor("the repair", () => readdirSync(world.stateDir).includes("cache.corrupt.db"));
    });
    const repair = replay(damaged, calls, seed);
    expect(repair.contents).toEqual([saved.content]);
    const started = await startOn(repair, seed, true);
    console.log(
      `seed ${seed}: power cuts ${repair.cuts} at ${calls.length} calls of a repair, ${repair.disks.size} different disks, ` +
        `${started} of them under the compiled agent; objects lost of what could be saved: none`,
    );
  },
  seconds(effort(120, 600)),
);
