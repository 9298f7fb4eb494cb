import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  backendsOf,
  curl,
  DNS_ADDRESS,
  dig,
  EDGE_ADDRESS,
  EdgeWorld,
  objectsOf,
  PODS,
  withoutClients,
} from "../support/edge-world.ts";
import { effort } from "../support/effort.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const SIX = { name: "six", clusterIp: "fd00:10:96::10", endpoints: ["fd00:10:244:1::21"] };
const LINK = "fabedge-dummy0";
const FLUSHES = effort(20, 500);
const WITHIN = { timeout: seconds(5) };
const SHOW_ROUTING = "ip rule; ip -6 rule; ip route show table default; ip -6 route show table 1094; true";

/** A firewall, and a translator with chains at the very hooks and priorities of ours. */
const FOREIGN = `
table inet foreign {
  set allowed { type ipv4_addr; elements = { 203.0.113.1 }; }
  chain forward { type filter hook forward priority filter; policy accept; ip saddr @allowed counter; }
}
table ip nat {
  chain PREROUTING { type nat hook prerouting priority dstnat; policy accept; tcp dport 8099 dnat to 10.244.1.21:8080; }
  chain OUTPUT { type nat hook output priority -100; policy accept; }
  chain POSTROUTING { type nat hook postrouting priority srcnat; policy accept; ip saddr 10.250.0.0/16 masquerade; }
}
`;

let world: EdgeWorld;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await declareServices(world);
  await nft(FOREIGN);
  await world.startAgent();
  await waitFor("the service", () => works());
  await waitFor("the routes", async () => /10\.96\..*fd00:10:96:/s.test(await routing()));
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

async function declareServices(to: EdgeWorld): Promise<void> {
  const [service, slice] = objectsOf(SIX);
  await to.declareObjects("six", [service, { ...slice, addressType: "IPv6" }]);
  await to.declare(WEB);
}

const nft = (commands: string) => world.edge.output(["nft", "-f", "-"], { input: commands });
/** Without handles: what is made anew has others, and says the same. */
const oursOn = async (host: Host) =>
  withoutClients(await host.output(["sh", "-c", "nft list table ip selvedge; nft list table ip6 selvedge"]));
const ours = () => oursOn(world.edge);
const foreign = () => world.edge.output(["sh", "-c", "nft -a list table inet foreign; nft -a list table ip nat"]);
const routing = () => world.edge.output(["sh", "-c", SHOW_ROUTING]);
const works = async () => (await curl(world.client, `http://${WEB.clusterIp}/`)).startsWith("web-");
const resolves = async () => (await dig(world.client, "web")) === WEB.clusterIp;

describe("within 5 s the agent repairs, and touches nothing else, when another program", () => {
  test.each([
    ["flushes the whole ruleset", "flush ruleset"],
    ["deletes the IPv4 table", "delete table ip selvedge"],
    ["deletes the IPv6 table", "delete table ip6 selvedge"],
    ["flushes the rules of the table", "flush table ip selvedge"],
    ["deletes one rule", "flush chain ip selvedge postrouting"],
    ["flushes a map", "flush map ip selvedge endpoints"],
    ["deletes one endpoint", `delete element ip selvedge endpoints { ${WEB.clusterIp} . tcp . 80 . 1 }`],
    ["deletes one service", `delete element ip selvedge services { ${WEB.clusterIp} . tcp . 80 }`],
    ["adds a service of its own", "add element ip selvedge services { 10.96.0.99 . tcp . 80 : goto lb-2 }"],
    ["adds a rule", "insert rule ip selvedge dispatch accept"],
    ["adds a chain", "add chain ip selvedge stranger"],
    [
      "takes all endpoints and puts others there",
      `flush map ip selvedge endpoints; add element ip selvedge endpoints { ${WEB.clusterIp} . tcp . 80 . 0 : 203.0.113.9 . 9 }`,
    ],
  ])("%s", async (_, commands) => {
    const [before, foreignBefore] = [await ours(), await foreign()];
    await nft(commands);
    await waitFor("our tables as they were", async () => (await ours()) === before, WITHIN);
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
    if (commands === "flush ruleset") await nft(FOREIGN);
    else expect(await foreign()).toBe(foreignBefore);
  });

  test.each([
    ["deletes the link of our addresses", `link delete ${LINK}`],
    ["takes an address from it", `address delete ${DNS_ADDRESS}/32 dev ${LINK}`],
    ["switches it off", `link set ${LINK} down`],
  ])("%s", async (_, command) => {
    await waitFor("names", resolves);
    const [before, routingBefore] = [await ours(), await routing()];
    await world.edge.ip(command);
    await waitFor("the address", async () => (await addresses()).includes(`${LINK} ${DNS_ADDRESS}/32`), WITHIN);
    await waitFor("names", resolves);
    await waitFor("routing as it was", async () => (await routing()) === routingBefore, WITHIN);
    expect(await ours()).toBe(before);
    expect(await works()).toBeTrue();
  });

  test.each([
    ["the route to the services", ["ip", "route", "flush", "table", "default"]],
    ["the route to those of IPv6", ["ip", "-6", "route", "flush", "table", "1094"]],
    ["the rule that leads to it", ["ip", "-6", "rule", "delete", "priority", "32800"]],
  ])("deletes %s", async (_, command) => {
    const before = await routing();
    await world.edge.output(command);
    expect(await routing()).not.toBe(before);
    // No event tells of routes: whatever else happens makes the agent look.
    await nft("add chain ip selvedge stranger");
    await waitFor("routing as it was", async () => (await routing()) === before, WITHIN);
  });
});

test(
  `a ruleset flushed ${FLUSHES} times, each time as soon as it is whole, is whole again within 5 s every time`,
  async () => {
    const before = await ours();
    const took: number[] = [];
    for (let round = 0; round < FLUSHES; round++) {
      await nft("flush ruleset");
      const start = performance.now();
      await waitFor("our tables as they were", async () => (await ours()) === before, WITHIN);
      took.push(performance.now() - start);
    }
    await nft(FOREIGN);
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
    took.sort((a, b) => a - b);
    const [median = 0, worst = 0] = [took[FLUSHES >> 1], took.at(-1)];
    console.log(
      `flushes repaired: ${FLUSHES} of ${FLUSHES}; median ${median.toFixed()} ms, worst ${worst.toFixed()} ms`,
    );
  },
  seconds(60),
);

test("another table's chains at our hooks and priorities translate what is theirs, and ours what is ours", async () => {
  const backends = async (url: string) => (await curl(world.cloud, url)).split(" ")[0];
  expect(await backends(`http://${EDGE_ADDRESS}:8099/`)).toBe("web-1");
  expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  // The order of chains at one priority is that of their making: also when ours are the younger ones.
  const before = await ours();
  await nft("delete table ip selvedge");
  await waitFor("our tables as they were", async () => (await ours()) === before, WITHIN);
  expect(await backends(`http://${EDGE_ADDRESS}:8099/`)).toBe("web-1");
  expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
});

/** Addresses of links that are up, as "link address". */
async function addresses(): Promise<readonly string[]> {
  const lines = (await world.edge.output(["ip", "-o", "-4", "address", "show", "up"])).trim().split("\n");
  return lines.map((line) => line.split(/\s+/)).map(([, link, , address]) => `${link} ${address}`);
}

test("an agent whose tables were flushed while it was away writes them when it is started again", async () => {
  const before = await ours();
  await using own = await EdgeWorld.create();
  await declareServices(own);
  const agent = await own.startAgent();
  await waitFor("the service", async () => (await curl(own.client, `http://${WEB.clusterIp}/`)).startsWith("web-"));
  await own.cached(WEB.clusterIp);
  await agent.stop();
  await own.edge.output(["nft", "flush", "ruleset"]);
  await own.startAgent();
  expect(await backendsOf(own.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  await waitFor("the tables", async () => (await oursOn(own.edge)) === before, WITHIN);
});
