/** The tunnels' part of the demo: one network of pods across a cloud and two edge nodes, and a connector that is lost. */
import { parseArgs } from "node:util";
import { seconds } from "../src/base/duration.ts";
import { ClearTap } from "../test/lab/clear-tap.ts";
import type { EdgeAgent } from "../test/lab/fabric/edge-agent.ts";
import { Fabric } from "../test/lab/fabric/fabric.ts";
import type { CloudNode, EdgeNode } from "../test/lab/fabric/network.ts";
import { waitFor } from "../test/lab/wait-for.ts";
import { SteadyPing } from "../test/support/steady-ping.ts";
import { type Expectation, Reach, SERVICES } from "./demo-reach.ts";
import { eventually, formatTime, type Observation, Story } from "./demo-story.ts";

/** All of the lab's pods. */
const PODS = { ipv4: "10.244.0.0/16", ipv6: "fd00:10:244::/48" };
const CONNECTOR = "paris.connector";
/** p2p, n2p and p2n. */
const CHILDREN_OF_ONE = 3;
/** A tunnel that nothing uses notices a dead peer within 27 s, and a connector reads the cluster anew after a pause. */
const SETTLED = seconds(45);
const IN_SECONDS = seconds(10);
/** Three seconds are promised, and measured by scripts/bench tunnels; this machine may do other things meanwhile. */
const SILENCE_MAX = seconds(5);
const LOG_LINES = 20;

const EVERYBODY: Expectation = { about: "all", reaches: () => true };

// It takes none, and says so.
parseArgs({ options: {} });

const story = new Story();
const fabric = await build();
try {
  const { network } = fabric;
  const [agent, other] = fabric.agents;
  if (agent === undefined || other === undefined)
    throw new Error("Cannot show tunnels as there are not two edge nodes");
  const [e1, e2] = [agent.node, other.node];
  const taps = new Map<string, ClearTap>();
  for (const { router } of network.edges) taps.set(router.name, await ClearTap.start(router, PODS));
  const reach = new Reach(fabric);

  story.step("See who reaches whom: each node's pod every other one's, and services with one pod behind each");
  await reach.see(story, strangers(e1, e2), SETTLED);
  story.say(
    "Pods that a node shares no Community with have no way at all: what is for them is refused where it begins.",
  );
  for (const [router, tap] of taps) await story.see(`in clear on ${router}`, () => nothingInClear(tap));
  await showTunnels(agent, [CONNECTOR]);

  await joinEdges(agent, e2);
  await reach.see(story, EVERYBODY, SETTLED);
  await showTunnels(agent, [CONNECTOR, "paris.e2"]);

  const lost = await loseConnector(agent);
  await reach.see(story, without(lost), SETTLED);

  story.step(`Give ${lost.name} its power back`);
  await setPower(lost, true);
  await reach.see(story, EVERYBODY, SETTLED);

  story.step("Look what the routers saw in all that time");
  for (const [router, tap] of taps) await story.see(`in clear on ${router}`, () => nothingInClear(tap));
} catch (error) {
  await story.see("the demo goes on", () => Promise.reject(error));
} finally {
  await fabric[Symbol.asyncDispose]();
}
if (!story.end()) {
  for (const { node, program } of fabric.agents)
    story.say(`The last words of ${node.name}'s agent:\n${program.log.split("\n").slice(-LOG_LINES).join("\n")}`);
  process.exitCode = 1;
}

async function build(): Promise<Fabric> {
  story.step("Build a cloud of three nodes, and two edge nodes behind routers");
  const started = performance.now();
  const built = await Fabric.start();
  const { control, clouds, edges } = built.network;
  story.say("control ─┬─ c1 ─┬─ internet ─┬─ router r1 ── e1");
  story.say("         └─ c2 ─┘            └─ router r2 ── e2");
  story.say(`${control.name}: kube-apiserver, etcd, selvedge-cloud operator and node-agent, kube-proxy`);
  story.say(`${clouds.map(({ name }) => name).join(", ")}: selvedge-cloud connector, strongSwan, kube-proxy`);
  story.say(`${edges.map(({ name }) => name).join(", ")}: selvedge and strongSwan, and nothing else`);
  for (const { name, clusterIp, node } of SERVICES) {
    await built.declareService(name, clusterIp, [node]);
    story.say(`service ${name}  ${clusterIp}:80  →  the pod of ${node}`);
  }
  story.say(`all of it in network namespaces that no packet leaves, in ${formatTime(performance.now() - started)}`);
  return built;
}

async function joinEdges(agent: EdgeAgent, other: EdgeNode): Promise<void> {
  const { node } = agent;
  story.step(`Apply a Community of ${node.name} and ${other.name}`);
  await story.see(`${node.name}'s pod reaches ${other.name}'s`, async () => {
    const started = performance.now();
    await fabric.cluster.applyCommunity("line", [node.name, other.name]);
    const ping = ["ping", "-n", "-c", "1", "-W", "0.2", other.podAddresses[0]];
    const { holds } = await eventually(
      async () => ({ holds: (await node.pod.run(ping)).code === 0, saw: "" }),
      IN_SECONDS,
    );
    const time = formatTime(performance.now() - started);
    return { holds, saw: holds ? `${time} after kubectl apply began` : `not within ${time}` };
  });
}

/** @returns the cloud node whose connector it was */
async function loseConnector(agent: EdgeAgent): Promise<CloudNode> {
  const { control, clouds } = fabric.network;
  const held = await connectorsOf(agent);
  const lost = clouds.find(({ publicAddress }) => held.includes(publicAddress));
  if (lost === undefined || held.length !== 1)
    throw new Error(`Cannot tell which connector it is: current value is ${held.join()}`);
  story.step(
    `Cut the power of ${lost.name}, whose connector ${agent.node.name} uses, while a ping runs to control's pod`,
  );
  await story.see("the ping goes on", async () => {
    const ping = await SteadyPing.start(agent.node.pod, control.podAddresses[0]);
    await setPower(lost, false);
    const next = await waitFor(
      "another connector",
      async () => {
        const now = await connectorsOf(agent);
        return clouds.find((cloud) => cloud !== lost && now.includes(cloud.publicAddress))?.name;
      },
      { timeout: SETTLED },
    );
    const silence = seconds((await ping.stop()).longestGapSeconds);
    return { holds: silence < SILENCE_MAX, saw: `through ${next}, after ${formatTime(silence)} without an answer` };
  });
  return lost;
}

/** To everybody else, a node without links is one without power. */
async function setPower({ uplink, cloudLink }: CloudNode, on: boolean): Promise<void> {
  for (const link of [uplink, cloudLink]) await (on ? link.restore() : link.silence());
}

/** @returns the addresses of the connectors that the node has tunnels to, by charon's account; the old one's lasts a while */
async function connectorsOf({ charon }: EdgeAgent): Promise<readonly string[]> {
  const sas = (await charon.swanctl("--list-sas", "--ike", CONNECTOR)).split(/^(?=\S)/m);
  const installed = sas.filter((sa) => sa.includes("INSTALLED"));
  return installed.map((sa) => /^ +remote .* @ ([\d.]+)\[/m.exec(sa)?.[1] ?? "");
}

/** What our program says, and what charon says of the peer that came last. */
async function showTunnels(agent: EdgeAgent, peers: readonly string[]): Promise<void> {
  const { name } = agent.node;
  await story.see(`SAs of ${name} (swanctl)`, () =>
    eventually(async () => judgeSas(await agent.charon.swanctl("--list-sas"), peers), IN_SECONDS),
  );
  story.say(`${name}# selvedge tunnels\n${await agent.command("tunnels")}`);
  const last = peers.at(-1) ?? CONNECTOR;
  const sas = await agent.charon.swanctl("--list-sas", "--ike", last);
  story.say(`${name}# swanctl --list-sas --ike ${last}\n${sas}`);
}

function judgeSas(sas: string, peers: readonly string[]): Observation {
  const established = [...sas.matchAll(/^(\S+): #\d+, ESTABLISHED/gm)].map(([, name]) => name ?? "").sort();
  const installed = [...sas.matchAll(/^ +\S+: #\d+, .*INSTALLED/gm)].length;
  return {
    holds: established.join() === peers.join() && installed === peers.length * CHILDREN_OF_ONE,
    saw: `${established.join(" and ") || "nobody"} established, ${installed} children installed`,
  };
}

/** And not because it saw nothing at all. */
async function nothingInClear(tap: ClearTap): Promise<Observation> {
  const [clear, tunnelled] = [await tap.clear(), await tap.tunnelPackets()];
  return {
    holds: clear.length === 0 && tunnelled > 0,
    saw: `${describePairs(clear) || "nothing"}, and ${tunnelled} packets of tunnels`,
  };
}

function describePairs(pairs: readonly string[]): string {
  return pairs.map((pair) => pair.replace(" . ", " → ")).join(", ");
}

function strangers(one: EdgeNode, other: EdgeNode): Expectation {
  const names = [one.name, other.name];
  return {
    about: `all but ${names.join(" and ")} each other`,
    reaches: (from, to) => from === to || !names.includes(from) || !names.includes(to),
  };
}

function without({ name }: CloudNode): Expectation {
  return { about: `all but ${name}`, reaches: (from, to) => from === to || (from !== name && to !== name) };
}
