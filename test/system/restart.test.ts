import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import { dig, ECHO_PORT, EdgeWorld, PODS, selvedge, statusOf, withoutClients } from "../support/edge-world.ts";
import { KernelChanges } from "../support/kernel-changes.ts";

const ROOT = join(import.meta.dir, "../..");
const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const MARKER = { name: "marker", clusterIp: "10.96.0.50", endpoints: [PODS["web-1"]] };
const directory = mkdtempSync(join(tmpdir(), "selvedge-upgrade-"));
const NEWER = join(directory, "selvedge");
let world: EdgeWorld;
let agent: LabProcess;
let conversation: Conversation;
let changes: KernelChanges;

beforeAll(async () => {
  const flags = ["--compile", "--minify", "--bytecode", "--define", 'SELVEDGE_VERSION="99.0.0"'];
  await Bun.$`${process.execPath} build edge/main.ts --outfile ${NEWER} ${flags}`.cwd(ROOT).quiet();
  world = await EdgeWorld.create();
  await world.declare(ECHO);
  agent = await world.startAgent();
  await waitFor("the service", async () => (await rules()).includes(ECHO.clusterIp));
  await world.cached(ECHO.clusterIp);
  conversation = await Conversation.start(world.client, ECHO.clusterIp);
  changes = await KernelChanges.watch(world.edge);
}, seconds(60));
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** With handles: what was deleted and made again has others. */
const rules = async () => withoutClients(await world.edge.output(["nft", "-a", "list", "ruleset"]));
const sockets = () => world.client.output(["ss", "-tnH", "state", "established", "dst", ECHO.clusterIp]);

async function expectUntouched(restart: () => Promise<unknown>): Promise<void> {
  const [rulesBefore, seenBefore, socketsBefore] = [await rules(), await changes.seen(), await sockets()];
  await restart();
  await waitFor("the source", async () => (await statusOf(world.edge)).source.connected, { timeout: seconds(20) });
  expect(await dig(world.client, "echo")).toBe(ECHO.clusterIp);
  await conversation.goesOn();
  expect((await sockets()).replace(/^\d+\s+\d+\s+/, "")).toBe(socketsBefore.replace(/^\d+\s+\d+\s+/, ""));
  expect(await rules()).toBe(rulesBefore);
  expect(await changes.seen()).toEqual(seenBefore);
}

describe("a connection through a service", () => {
  test("is one that the kernel translates", async () => {
    await conversation.goesOn();
    const tracked = await world.edge.output(["conntrack", "-L", "-p", "tcp", "-d", ECHO.clusterIp]);
    expect(tracked).toMatch(/ESTABLISHED src=10\.244\.1\.10 dst=10\.96\.0\.40 .* src=10\.244\.1\.2[12] /);
  });

  test("goes on while the agent is stopped and started again, which writes nothing into the kernel", async () => {
    await expectUntouched(async () => {
      expect(await agent.stop()).toBe(0);
      await conversation.goesOn();
      agent = await world.startAgent();
    });
  });

  test("goes on while the agent is killed and started again, which writes nothing into the kernel", async () => {
    await expectUntouched(async () => {
      await agent.kill();
      await conversation.goesOn();
      agent = await world.startAgent();
    });
  });

  test("goes on while an agent is asked to end before it is ready, which it does as at any other time", async () => {
    await expectUntouched(async () => {
      await agent.stop();
      const early = await world.edge.spawn(agent.argv, { ready: /agent\.start/ });
      expect(await early.stop()).toBe(0);
      expect(early.log).toContain("agent.stop");
      agent = await world.startAgent();
    });
  });

  test("goes on while the agent is replaced by a newer one, which writes nothing into the kernel", async () => {
    const older = (await selvedge(world.edge, "version -o json")).stdout;
    await expectUntouched(async () => {
      await agent.stop();
      agent = await world.startAgent({ program: NEWER });
    });
    expect((await statusOf(world.edge)).agent.version).toBe("99.0.0");
    expect(older).not.toContain("99.0.0");
  });

  test("goes on when the new agent then changes what is there", async () => {
    const before = await changes.seen();
    await world.declare(MARKER);
    await waitFor("the new service", async () => (await rules()).includes(MARKER.clusterIp));
    const added = (await changes.seen()).slice(before.length).join("\n");
    expect(added).toContain(MARKER.clusterIp);
    expect(added).not.toContain(ECHO.clusterIp);
    await conversation.goesOn();
  });
});
