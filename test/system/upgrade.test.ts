import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { Debian } from "../lab/debian.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "../support/conversation.ts";
import { buildPackages, LATER_VERSION, makeTree, type Packages } from "../support/debian-packages.ts";
import { DNS_ADDRESS, ECHO_PORT, EdgeWorld, HUB_URL, PODS, SETTINGS_FILE } from "../support/edge-world.ts";
import { SteadyLoad } from "../support/steady-load.ts";

const UNIT = "selvedge.service";
const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: [PODS["web-1"]] };
const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const NAME = "web.default.svc.cluster.local";
const dig = (words: string) => `dig ${words} +short @${DNS_ADDRESS} ${NAME} | grep -qxF ${WEB.clusterIp}`;

/** Sent once: a lost one fails. */
const ONCE = "a query";
/** What pods do all the time. */
const LOADS = {
  "a connection": `curl -sf --max-time 15 -o /dev/null http://${WEB.clusterIp}/`,
  "a connection by its name": `curl -sf --max-time 15 -o /dev/null http://${NAME}/`,
  "a look-up with glibc's defaults": `getent ahostsv4 ${NAME}`,
  [ONCE]: dig("+tries=1 +time=15"),
  "a query over TCP": dig("+tcp +tries=1 +time=15"),
};

const directory = mkdtempSync(join(tmpdir(), "selvedge-upgrade-"));
let world: EdgeWorld;
let node: Debian;
let packages: Packages;
let conversation: Conversation;
let loads: readonly (readonly [string, SteadyLoad])[];

const install = (file: string) => node.output(["dpkg", "--install", file], { timeout: seconds(60) });
const isActive = () => node.systemctl("is-active", UNIT);
const version = async () => (await node.output(["selvedge", "version"])).trim();

beforeAll(async () => {
  world = await EdgeWorld.create();
  node = await Debian.boot(world.edge);
  packages = await buildPackages(directory, node, makeTree);
  await world.declare(WEB, ECHO);
  await install(packages.older);
  const settings = `node-name: edge1\nsource: hub\nsource-url: ${HUB_URL}\n`;
  await node.output(["sh", "-euc", 'cat >"$1"', "sh", SETTINGS_FILE], { input: settings });
  await node.output(["systemctl", "enable", "--now", UNIT]);
  await waitFor("the services", async () => (await node.output(["nft", "list", "ruleset"])).includes(ECHO.clusterIp));
  await world.client.writeFile("/etc/resolv.conf", `nameserver ${DNS_ADDRESS}\n`);
  conversation = await Conversation.start(world.client, ECHO.clusterIp);
  loads = await Promise.all(
    Object.entries(LOADS).map(
      async ([name, command]) => [name, await SteadyLoad.start(world.client, command)] as const,
    ),
  );
}, seconds(300));
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** Nothing but `mayFail` fails while it happens, and everything goes on afterwards. */
async function expectNoFailure(happens: () => Promise<unknown>, mayFail?: string): Promise<void> {
  await happens();
  await waitFor("the agent ready", async () => (await isActive()) === "active", { timeout: seconds(30) });
  await Promise.all([conversation.goesOn(), ...loads.map(([, load]) => load.goesOn())]);
  console.table(Object.fromEntries(loads.map(([name, load]) => [name, load.result])));
  const failed = loads.filter(([, load]) => load.result.failed > 0).map(([name]) => name);
  expect(failed.filter((name) => name !== mayFail)).toEqual([]);
}

describe("under traffic, with no connection and no query that fails", () => {
  test("an upgrade", async () => {
    const pid = await node.property(UNIT, "MainPID");
    await expectNoFailure(() => install(packages.newer));
    expect(await version()).toContain(LATER_VERSION);
    expect(await node.property(UNIT, "MainPID")).not.toBe(pid);
  }, 90_000);

  test("a downgrade", async () => {
    await expectNoFailure(() => install(packages.older));
    expect(await version()).not.toContain(LATER_VERSION);
  }, 90_000);

  test("a crash, but for a query that had come and was not yet read, which resolvers send again", async () => {
    const pid = await node.property(UNIT, "MainPID");
    await expectNoFailure(async () => {
      await node.output(["kill", "-KILL", pid]);
      await waitFor("another agent", async () => !["0", pid].includes(await node.property(UNIT, "MainPID")));
    }, ONCE);
  }, 90_000);
});

test("after a reboot without a network, names and services are there from the cache", async () => {
  node = await node.reboot();
  await waitFor("the agent ready", async () => (await isActive()) === "active", { timeout: seconds(30) });
  expect(await node.output(["ip", "-o", "route", "show", "default"])).toBe("");
  // What the kubelet starts again from what it remembers itself.
  const pods = `
    ip link add cni0 type bridge
    ip address add 10.244.1.1/24 dev cni0
    ip link set cni0 up
    for pod in client:10.244.1.10 web-1:${PODS["web-1"]}; do
      name=\${pod%:*}
      ip netns add $name
      ip link add $name type veth peer name eth0 netns $name
      ip link set $name master cni0 up
      ip -n $name address add \${pod#*:}/24 dev eth0
      ip -n $name link set eth0 up
      ip -n $name route add default via 10.244.1.1
    done
    echo 1 >/proc/sys/net/ipv4/ip_forward
    systemd-run --quiet --unit web-1 ip netns exec web-1 socat TCP-LISTEN:8080,fork,reuseaddr EXEC:hostname`;
  await node.output(["sh", "-euc", pods]);
  const inClient = (...argv: readonly string[]) => node.run(["ip", "netns", "exec", "client", ...argv]);
  await waitFor("the name", async () => (await inClient("sh", "-c", dig("+tries=1"))).code === 0);
  await waitFor("the service", async () => {
    const { stdout } = await inClient("socat", "-T5", "-", `TCP:${WEB.clusterIp}:80`);
    return stdout === "edge1\n";
  });
  const status = JSON.parse((await node.run(["selvedge", "status", "-o", "json"])).stdout);
  expect(status).toMatchObject({ ready: true, source: { connected: false } });
}, 90_000);
