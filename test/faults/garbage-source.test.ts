import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, dig, EdgeWorld, HUB_URL, ruleset, statusOf } from "../support/edge-world.ts";

const SOURCE = join(import.meta.dir, "../support/hostile-source.ts");
/** What every list has, and so what was known before any hostility. */
const KNOWN = { name: "other-none", address: "10.96.7.1" };
/** MemoryHigh of the unit: above it the service manager slows the agent down. */
const PEAK_MIB_MOST = 256;
/** 200 MB go from one program to another, more than once. */
const SOON = { timeout: seconds(60) };
setDefaultTimeout(seconds(150));

let world: EdgeWorld;
let source: LabProcess;
let agent: LabProcess | undefined;
let names: readonly string[] = [];
const peaks: [string, number][] = [];

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.stopHub();
  source = await startSource();
  await behave("none");
  agent = await world.startAgent();
  await known();
  await world.cached(KNOWN.name);
  await agent.stop();
}, seconds(30));
afterEach(async () => {
  await agent?.kill();
  agent = undefined;
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  const most = Math.max(...peaks.map(([, mebibytes]) => mebibytes));
  console.log(`hostilities tried: ${peaks.length}; survived: all; most memory at any time: ${most} MiB`);
});

const startSource = () => world.cloud.spawn([process.execPath, SOURCE, new URL(HUB_URL).host], { ready: /ready/ });

async function behave(hostility: string): Promise<void> {
  names = JSON.parse(await world.cloud.output(["curl", "-sSf", `${HUB_URL}/hostility/${hostility}`]));
}

const known = () =>
  waitFor("the service", async () => (await backendsOf(world.client, KNOWN.address)).join() === "web-2");
const raised = (code: string) => waitFor(code, () => conditionOf(world.edge, code), SOON);

/** The most that was resident since the agent started. */
function peakMib({ pid }: LabProcess): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Math.round(Number(kibibytes) / 1024);
}

async function meet(hostility: string): Promise<LabProcess> {
  await behave(hostility);
  agent = await world.startAgent();
  return agent;
}

/** Before anything else is expected of it, the agent has to have lived through the hostility. */
async function expectUnharmed(hostility: string, harmed: LabProcess): Promise<void> {
  await known();
  expect(await dig(world.client, KNOWN.name)).toBe(KNOWN.address);
  expect(harmed.running).toBeTrue();
  const peak = peakMib(harmed);
  peaks.push([hostility, peak]);
  console.log(`${hostility}: ${peak} MiB at most`);
  expect(peak).toBeLessThan(PEAK_MIB_MOST);
}

describe("memory stays bounded, and the other objects are applied, when a list has", () => {
  test.each([
    ["an-object-of-200-mb", /Service default\/huge: too large: 209\d{6} bytes/],
    ["objects-of-wrong-types", /Cannot read \d\d objects; the first is Service default\/wrong-/],
    ["an-object-nested-a-million-deep", /Service default\/deep/],
  ])("%s", async (hostility, reported) => {
    const harmed = await meet(hostility);
    const address = `10.96.7.${1 + names.indexOf(hostility)}`;
    await waitFor("the other", async () => (await dig(world.client, `other-${hostility}`)) === address, SOON);
    await waitFor("its endpoints", async () => (await backendsOf(world.client, address)).join() === "web-2");
    expect((await raised("OBJECTS_REJECTED")).message).toMatch(reported);
    await expectUnharmed(hostility, harmed);
  });
});

describe("memory stays bounded, and what was known stays, when a list is", () => {
  test.each([
    ["500-objects-of-1-mb", "SOURCE_REFUSED"],
    ["200-mb-of-objects", "SOURCE_REFUSED"],
    ["an-envelope-of-200-mb", "SOURCE_REFUSED"],
    ["a-body-that-unzips-to-200-mb", "SOURCE_REFUSED"],
    ["a-refusal-of-200-mb", "SOURCE_UNREACHABLE"],
    ["no-json", "SOURCE_REFUSED"],
    ["a-list-cut-short", "SOURCE_REFUSED"],
    ["pages-without-end", "SOURCE_REFUSED"],
  ])("%s", async (hostility, code) => {
    const harmed = await meet(hostility);
    await raised(code);
    await expectUnharmed(hostility, harmed);
  });
});

describe("memory stays bounded, and what comes after is applied, when a watch has", () => {
  test.each([
    ["an-event-of-200-mb", /Service default\/huge: too large: 209\d{6} bytes/],
    ["200-mb-without-a-newline", undefined],
    ["events-of-wrong-types", /Cannot read \d+ objects; the first is Service/],
  ])("%s", async (hostility, reported) => {
    const harmed = await meet(hostility);
    await waitFor("what comes late", async () => (await dig(world.client, "late")) === "10.96.8.1", SOON);
    if (reported !== undefined) expect((await raised("OBJECTS_REJECTED")).message).toMatch(reported);
    await expectUnharmed(hostility, harmed);
  });

  test("200-mb-of-senseless-lines, which ends it", async () => {
    const harmed = await meet("200-mb-of-senseless-lines");
    expect((await raised("SOURCE_REFUSED")).message).toContain("100 lines: ");
    await expectUnharmed("200-mb-of-senseless-lines", harmed);
  });
});

test("the other kinds are applied while a list comes as a byte now and then, and it when the source has come to itself", async () => {
  const harmed = await meet("a-byte-now-and-then");
  const stateOf = async (wanted: string) =>
    (await statusOf(world.edge)).source.kinds.find(({ kind }) => kind === wanted)?.state;
  await waitFor("the endpoints", async () => (await stateOf("EndpointSlice")) === "watching", SOON);
  expect(await stateOf("Service")).not.toBe("watching");
  await expectUnharmed("a-byte-now-and-then", harmed);
  await source.kill();
  source = await startSource();
  await behave("none");
  await waitFor("the cloud again", async () => (await statusOf(world.edge)).source.connected, SOON);
});

test(
  "a source that loses its mind under a running agent changes nothing, and is followed when it comes to itself",
  async () => {
    await behave("none");
    agent = await world.startAgent();
    await waitFor("the cloud", async () => (await statusOf(world.edge)).source.connected, SOON);
    const rules = await ruleset(world.edge);
    await source.kill();
    source = await startSource();
    await behave("no-json");
    expect(await raised("SOURCE_REFUSED")).toMatchObject({ component: "source", severity: "degraded" });
    await expectUnharmed("no-json, suddenly", agent);
    expect(await ruleset(world.edge)).toBe(rules);
    await behave("none");
    const healed = async () => (await conditionOf(world.edge, "SOURCE_REFUSED")) === undefined;
    await waitFor("the end of it", healed, SOON);
  },
  seconds(150),
);
