import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { LabProcess } from "../../lab/process.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { CloudWorld, claimOf, EDGE_POD, EDGE_PODS, routes, untilRoutes } from "../../support/cloud-world.ts";

const [PODS4, PODS6] = EDGE_PODS;
const NOWHERE = `unreachable ${PODS4} proto 83 metric 4278198272`;
const NOWHERE6 = `unreachable ${PODS6} dev lo proto 83 metric 4278198272`;
const via = (n: number, pods = PODS4) => `${pods} via 10.0.0.${n} dev eth0 proto 83`;
/** With the two of IPv6, which nothing here is about. */
const TWO = [via(2), NOWHERE];

describe("a node-agent", () => {
  let world: CloudWorld;
  let agent: LabProcess;
  beforeEach(async () => {
    world = await CloudWorld.create("flannel host-gw");
    await world.tunnel(world.c1);
    await world.publish(world.c1, [claimOf(1)]);
    agent = await world.agent();
    // Two routes and a rule in each family.
    await waitFor("all to be written", async () => /node_agent_writes_total 6\n/.test(await world.metrics()));
    expect(await routes(world.n1.host, 4)).toEqual(TWO);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const rules = () => world.n1.host.output(["ip", "rule", "show", "pref", "220"]);
  const table = () => world.n1.host.run(["nft", "list", "table", "inet", "selvedge-fabric"]);
  const conditions = async () =>
    [...(await world.metrics()).matchAll(/node_agent_conditions\{code="(\w+)"\}/g)].map(([, code]) => code);

  test("keeps every route while the API server is away, over its own end and start, and follows when it is back", async () => {
    await world.api.stop();
    await waitFor("the condition", async () => (await conditions()).includes("CONNECTORS_UNHEARD"));
    expect(await routes(world.n1.host, 4)).toEqual(TWO);
    await agent.kill();
    expect(await world.reaches(EDGE_POD)).toBeTrue();
    agent = await world.agent();
    await waitFor("the condition", async () => (await conditions()).includes("CONNECTORS_UNHEARD"));
    expect(await routes(world.n1.host, 4)).toEqual(TWO);
    expect(await world.reaches(EDGE_POD)).toBeTrue();
    await world.tunnel(world.c2);
    await world.publish(world.c2, [claimOf(2)]);
    await world.api.start();
    await untilRoutes(world.n1.host, 4, [via(3), NOWHERE]);
    await waitFor("the end of the condition", async () => (await conditions()).length === 0);
  });

  test("does not believe an empty list at once, in its first moment either", async () => {
    await world.publish(world.c1, undefined);
    await waitFor("the edge to lead nowhere", async () => (await routes(world.n1.host, 4)).length === 1);
    await world.publish(world.c1, [claimOf(2)]);
    await untilRoutes(world.n1.host, 4, TWO);
    await agent.stop();
    await world.publish(world.c1, undefined);
    agent = await world.agent();
    await agent.waitForLog(/node-agent\.doubt/);
    expect(await routes(world.n1.host, 4)).toEqual(TWO);
    expect(await conditions()).toContain("CONNECTORS_DOUBTED");
    // Said a second time.
    await untilRoutes(world.n1.host, 4, [NOWHERE]);
  }, 30_000);

  test("leads nowhere, and not out of the cloud, for an edge that nobody holds", async () => {
    await world.publish(world.c1, []);
    await untilRoutes(world.n1.host, 4, [NOWHERE]);
    await untilRoutes(world.n1.host, 6, [NOWHERE6]);
    const { stdout } = await world.n1.pod.run(["ping", "-c", "1", "-W", "1", EDGE_POD]);
    expect(stdout).toContain("Destination Host Unreachable");
    // The prefix goes to a node of the cloud.
    await world.n1.host.ip(`route add ${PODS4} via 10.0.0.3`);
    await untilRoutes(world.n1.host, 4, []);
  });

  test("writes nothing when it starts again and all is as it was", async () => {
    const monitor = await world.n1.host.spawn(["ip", "monitor", "route", "rule"]);
    await agent.stop();
    agent = await world.agent();
    await waitFor("a run", async () => /node_agent_prefixes 2/.test(await world.metrics()));
    await world.n1.host.ip("route add 10.77.0.0/16 via 10.0.0.3");
    await monitor.waitForLog(/10\.77\.0\.0/);
    expect(monitor.log).not.toContain("proto 83");
    expect(agent.log).not.toContain("node-agent.routed");
  });

  test("leaves others' routes and rules alone, and says what stands in its way", async () => {
    await agent.stop();
    const { host } = world.n1;
    await host.ip(
      `route replace ${PODS4} via 10.0.0.3 table 220 proto boot`,
      "route add 10.50.0.0/16 via 10.0.0.3 table 220 proto bird",
    );
    agent = await world.agent();
    await waitFor("the condition", async () => (await conditions()).includes("ROUTE_BLOCKED"));
    const foreign = ["10.50.0.0/16 via 10.0.0.3 dev eth0 proto bird", `${PODS4} via 10.0.0.3 dev eth0`];
    expect(await routes(host, 4)).toEqual([...foreign, NOWHERE].sort());
    await host.ip(`route del ${PODS4} via 10.0.0.3 table 220`);
    await untilRoutes(host, 4, [...foreign.slice(0, 1), ...TWO]);
    expect((await rules()).trim().split("\n")).toHaveLength(1);
  });

  test("puts right what others take away: routes, the rule, the link, the table of nftables", async () => {
    const { host } = world.n1;
    await host.ip("route flush table 220");
    await untilRoutes(host, 4, TWO);
    await host.ip("rule del pref 220");
    await waitFor("the rule", async () => (await rules()).includes("lookup 220"));
    await host.ip("link set eth0 down", "link set eth0 up", "route add 10.244.2.0/24 via 10.0.0.2 dev eth0");
    await untilRoutes(host, 4, TWO);
    const before = (await table()).stdout;
    await host.output(["nft", "flush", "ruleset"]);
    await waitFor("the table", async () => (await table()).stdout === before);
  });

  test("waits while another program of ours has the node's routes, or until it is told to end", async () => {
    const second = await world.n1.host.spawn([...agent.argv, "--http-bind=127.0.0.1:8084"], { ready: /FABRIC_TAKEN/ });
    await agent.stop();
    await waitFor("the second one", async () => second.log.includes("node-agent.cleared"));
    await world.publish(world.c2, [claimOf(2)]);
    await untilRoutes(world.n1.host, 4, [via(3), NOWHERE]);
    const third = await world.n1.host.spawn([...agent.argv, "--http-bind=127.0.0.1:8085"], { ready: /FABRIC_TAKEN/ });
    expect(await third.stop()).toBe(0);
  });

  test("takes everything back that it has left, and nothing else", async () => {
    await agent.stop();
    const { host } = world.n1;
    await host.ip("route add 10.50.0.0/16 via 10.0.0.3 table 220 proto bird");
    const clean = (...words: readonly string[]) =>
      host.output([...agent.argv.slice(0, 2), "node-agent", "cleanup", ...words]);
    const told = await clean("--dry-run");
    expect(told).toContain(`Would remove unicast route ${PODS4} via 10.0.0.2 in table 220`);
    expect(told).toContain("Would remove nftables table inet selvedge-fabric");
    expect((await routes(host, 4)).length).toBe(3);
    expect((await clean()).replaceAll("Removed", "Would remove")).toBe(told);
    expect(await routes(host, 4)).toEqual(["10.50.0.0/16 via 10.0.0.3 dev eth0 proto bird"]);
    expect(await routes(host, 6)).toEqual([]);
    expect(await rules()).toBe("");
    expect((await table()).code).not.toBe(0);
    expect(await clean()).toBe("Nothing to remove.\n");
  });
});
