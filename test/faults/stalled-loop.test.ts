import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import { Debian } from "../lab/debian.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import { backendsOf, curl, DNS_ADDRESS, dig, ECHO_PORT, EdgeWorld, HUB_URL, PODS } from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";
import { numberedObjects, numberedService } from "../support/many-services.ts";
import { parsePrometheusText } from "../support/prometheus-text.ts";
import { askSteadily } from "../support/steady-client.ts";

const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const NAME = "web.default.svc.cluster.local";
const PROGRAM = join(import.meta.dir, "../../dist/selvedge-linux-x64");
const UNIT = "selvedge.service";
/** As shipped when there is time for it, shortened when not. */
const WATCHDOG = seconds(effort(6, 30));
/** The agent looks at its loop once in so long (watchdog.ts), and sees of a stall what is left of it from then on. */
const BEAT = seconds(1);
const LONG = seconds(1.6);
/** Timers are that early at most. */
const EARLY = milliseconds(50);
/** Queries a second: 900 of them arrive within a stall. */
const BUSY = 3000;
const MANY = 10_000;
const MANIFEST = "/run/manifests/many.json";
const LAST = numberedService(MANY - 1);

let world: EdgeWorld;
let agent: LabProcess;
let conversation: Conversation;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(ECHO, WEB);
  agent = await world.startAgent();
  await waitFor("the name", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp);
  conversation = await Conversation.start(world.client, ECHO.clusterIp);
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

/** The fault itself: the whole process, every thread of it, does nothing for so long. */
async function stall(duration: Duration): Promise<void> {
  using _ = agent.pause();
  await Bun.sleep(duration);
}

const askWeb = () => askSteadily(world.client, DNS_ADDRESS, NAME, WEB.clusterIp);

/** The lengths of stalls in the agent's log, in milliseconds. */
const toldStalls = () =>
  [...agent.log.matchAll(/"event":"agent\.stalled".*"duration_ms":(\d+)/g)].map(([, text]) => Number(text));

/** The longest stall of each thread since it was asked for last. */
async function worstLags(): Promise<Readonly<Record<string, number>>> {
  const page = await world.edge.output(["curl", "-s", "http://127.0.0.1:10560/metrics"]);
  const samples = parsePrometheusText(page).get("selvedge_event_loop_lag_seconds")?.samples ?? [];
  return Object.fromEntries(samples.map(({ labels, value }) => [labels["thread"] ?? "", value]));
}

test("stalls of 300 ms lose no question, beside a busy client neither, and break no connection", async () => {
  const stalls = effort(5, 100);
  const stop = await askWeb();
  await world.client.output(["sh", "-c", `echo '${NAME} A' >/run/name`]);
  const busy = [
    "stdbuf",
    "-oL",
    "dnsperf",
    "-s",
    DNS_ADDRESS,
    "-d",
    "/run/name",
    "-Q",
    String(BUSY),
    "-q",
    String(BUSY),
    "-l",
    "60",
  ];
  const client = await world.client.spawn(busy, { ready: /Sending queries/ });
  for (let i = 0; i < stalls; i++) {
    await stall(milliseconds(300));
    await conversation.goesOn();
  }
  client.signal("SIGINT");
  await client.exited;
  const report = await stop();
  const sent = Number(/Queries sent:\s+(\d+)/.exec(client.log)?.[1]);
  console.log(`${stalls} stalls of 300 ms beside ${sent} questions of another; a client: ${JSON.stringify(report)}`);
  expect(sent).toBeGreaterThan(BUSY);
  expect([report.wrong, report.lost]).toEqual([0, 0]);
});

test("a stall is in the log and in the metrics, with its length", async () => {
  const begun = performance.now();
  await stall(LONG);
  // Those of 300 ms may be told, too: it depends on where a beat falls.
  const told = await waitFor("the stall", () => toldStalls().find((ms) => ms >= LONG - BEAT - EARLY));
  expect(told).toBeLessThan(performance.now() - begun + BEAT);
  await waitFor("the metric", async () => Object.values(await worstLags()).some((lag) => lag > 0.5));
});

test(
  `names are answered while the agent takes in ${MANY} services at once`,
  async () => {
    await worstLags();
    const items = numberedObjects(MANY);
    const stop = await askWeb();
    await world.cloud.writeFile(MANIFEST, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    const timeout = seconds(60);
    await waitFor("the last name", async () => (await dig(world.client, LAST.name)) === LAST.clusterIp, { timeout });
    await waitFor("the last service", async () =>
      (await curl(world.client, `http://${LAST.clusterIp}/`)).startsWith("web"),
    );
    const report = await stop();
    console.log(`${MANY} services at once; a client meanwhile: ${JSON.stringify(report)}`);
    console.log("longest stalls of the agent's threads, in seconds:", await worstLags());
    expect([report.wrong, report.lost]).toEqual([0, 0]);
    await conversation.goesOn();
  },
  seconds(90),
);

describe("under systemd", () => {
  let node: Debian;
  const pid = () => node.property(UNIT, "MainPID");
  const services = () =>
    node.output(["sh", "-c", "nft list map ip selvedge services; nft list map ip selvedge endpoints"]);

  beforeAll(async () => {
    await agent.stop();
    await world.cloud.output(["rm", MANIFEST]);
    node = await Debian.boot(world.edge);
    const unit = `cp ${PROGRAM} /opt/selvedge; /opt/selvedge install`;
    const settings = `node-name: edge1\nsource: hub\nsource-url: ${HUB_URL}\n`;
    const dropIn = `/run/systemd/system/${UNIT}.d/test.conf`;
    await node.output(["sh", "-euc", `${unit}; cat >/etc/selvedge/config.yaml`], { input: settings });
    expect(await node.systemctl("cat", UNIT)).toMatch(/^WatchdogSec=30s?$/m);
    const shorter = `mkdir -p $(dirname ${dropIn}); cat >${dropIn}; systemctl daemon-reload; systemctl start ${UNIT}`;
    await node.output(["sh", "-euc", shorter], { input: `[Service]\nWatchdogSec=${WATCHDOG / 1000}\n` });
    await waitFor("the name", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp);
    await waitFor("the many gone", async () => !(await services()).includes(LAST.clusterIp), { timeout: seconds(30) });
  }, seconds(90));

  test(
    "an agent that stands still for less than the watchdog's time is left alone",
    async () => {
      const before = await pid();
      await node.output(["kill", "-STOP", before]);
      await Bun.sleep(WATCHDOG / 4);
      await node.output(["kill", "-CONT", before]);
      await waitFor("an answer", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp);
      expect(await pid()).toBe(before);
      expect(await node.property(UNIT, "NRestarts")).toBe("0");
    },
    seconds(30),
  );

  test(
    "one that stands still for longer is started again, and traffic goes on as if nothing were",
    async () => {
      const [before, carried] = [await pid(), await services()];
      await node.output(["kill", "-STOP", before]);
      const start = performance.now();
      while ((await pid()) === before) {
        await conversation.goesOn();
        expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
        if (performance.now() - start > 2 * WATCHDOG + seconds(30)) throw new Error("Cannot see a new agent");
      }
      await waitFor("an answer", async () => (await dig(world.client, WEB.name)) === WEB.clusterIp, {
        timeout: seconds(20),
      });
      console.log(
        `watchdog of ${WATCHDOG / 1000} s: names again after ${((performance.now() - start) / 1000).toFixed(1)} s`,
      );
      expect(await services()).toBe(carried);
      await conversation.goesOn();
      expect(await node.property(UNIT, "NRestarts")).toBe("1");
    },
    seconds(120),
  );
});
