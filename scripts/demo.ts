/** The demo of README: what an edge node does for its pods with its cloud, without it, and after it is back. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { seconds } from "../src/base/duration.ts";
import type { Host } from "../test/lab/host.ts";
import type { LabProcess } from "../test/lab/process.ts";
import { type Cloud, startApiServer, startHub } from "./demo-cloud.ts";
import { eventually, type Observation, Story } from "./demo-story.ts";
import {
  buildWorld,
  CLOUD_ADDRESS,
  type DemoService,
  DNS_ADDRESS,
  demoService,
  EDGE_ADDRESS,
  POD_NETWORK,
  type World,
} from "./demo-world.ts";

const REQUESTS = 60;
const REQUESTS_SECONDS = 5;
const LOG_LINES = 20;
/** curl(1), EXIT CODES. */
const CURL_TIMED_OUT = 28;
/** dig(1), RETURN CODES. */
const DIG_NO_REPLY = 9;
/** Resynchronising after a cut waits for the agent's next attempt at most. */
const BACK_IN_TOUCH = seconds(30);

const AGENT = resolve(import.meta.dir, "../dist/selvedge-linux-x64");
const CLOUD_PROGRAM = resolve(import.meta.dir, "../dist/selvedge-cloud-linux-x64");

const SHOP = demoService("default", "shop", "10.96.0.10", ["shop-1", "shop-2", "shop-3"]);
const METER = demoService("factory", "meter", "10.96.0.20", ["meter-1", "meter-2"]);
const SMALLER_SHOP = demoService("default", "shop", "10.96.0.10", ["shop-3"]);
const NEW_SERVICE = demoService("factory", "metrics", "10.96.0.30", ["meter-2"]);

const { values: options } = parseArgs({
  options: { keep: { type: "boolean", default: false }, "api-server": { type: "boolean", default: false } },
});

const story = new Story();
const world = await build();
let agent: LabProcess | undefined;
try {
  const cloud = await startCloud(world);
  agent = await startAgent(world, cloud);
  await awaitFirstAnswer(world);
  await useServices(world);
  await loseCloud(world, cloud);
  agent = await crashAgent(world, cloud, agent);
  await changeCloudUnseen(world, cloud);
  await regainCloud(world);
  if (options.keep) await keep(world);
  else await cleanUp(world, agent);
} catch (error) {
  await story.see("the demo goes on", () => Promise.reject(error));
} finally {
  await world.lab.close();
}
if (!story.end()) {
  if (agent !== undefined) story.say(`The agent's last words:\n${agent.log.split("\n").slice(-LOG_LINES).join("\n")}`);
  process.exitCode = 1;
}

async function build(): Promise<World> {
  story.step("Build a cloud, an edge node and its pods");
  const started = performance.now();
  const built = await buildWorld();
  story.say(`cloud ${CLOUD_ADDRESS} ── internet ── edge1 ${EDGE_ADDRESS} ── pods ${POD_NETWORK}`);
  story.say("network namespaces inside a parent namespace of their own: no packet leaves it");
  story.say(`5 pods with HTTP servers and one client, in ${Math.round(performance.now() - started)} ms`);
  return built;
}

async function startCloud({ cloud: host }: World): Promise<Cloud> {
  story.step("Start the cloud with two services");
  const cloud = options["api-server"]
    ? await startApiServer(host, CLOUD_ADDRESS)
    : await startHub(host, CLOUD_ADDRESS, CLOUD_PROGRAM);
  story.say(cloud.about);
  for (const service of [SHOP, METER]) {
    await cloud.declare(service);
    story.say(`${nameOf(service)}  ${service.clusterIp}:80  →  ${service.backends.join(", ")}`);
  }
  return cloud;
}

async function startAgent(world: World, cloud: Cloud): Promise<LabProcess> {
  story.step("Start the agent on the edge node: one file, no kube-proxy, no CoreDNS, no nft");
  return await runAgent(world, cloud);
}

async function awaitFirstAnswer({ client }: World): Promise<void> {
  const answers = await story.see("the first name is answered", () => resolvesWithin(client, SHOP));
  if (!answers) throw new Error("Cannot show more as the agent does not answer");
}

async function useServices({ client, edge }: World): Promise<void> {
  story.step("Resolve names in a pod (dig) and send requests (curl)");
  for (const service of [SHOP, METER]) await story.see(nameOf(service), () => resolves(client, service));
  await story.see("shop, through the pod's search list", () => digs(client, ["+search", "shop", "A"], "10.96.0.10"));
  const srv = `0 100 80 ${nameOf(SHOP)}.`;
  await story.see("its port by name (SRV)", () => digs(client, [`_http._tcp.${nameOf(SHOP)}`, "SRV"], srv));
  await story.see("10.96.0.20 backwards (PTR)", () => digs(client, ["-x", METER.clusterIp], `${nameOf(METER)}.`));
  await story.see("a name that is not there", () => isUnknown(client, "nothing.default.svc.cluster.local"));
  await seeRequests(client, [SHOP, METER]);
  await story.see("a program of the node itself", () => digs(edge, [`@${DNS_ADDRESS}`, nameOf(SHOP)], SHOP.clusterIp));
  await story.see(`${REQUESTS} requests of its own to ${METER.clusterIp}`, () => spreads(edge, METER, METER.clusterIp));
  story.say(await edge.output([AGENT, "services"]));
}

async function loseCloud({ cloudLink, client, edge }: World, cloud: Cloud): Promise<void> {
  story.step("Cut the cloud off");
  await cloudLink.silence();
  await story.see("the cloud from edge1", async () => {
    const { code } = await edge.run(["curl", "-sk", "-o", "/dev/null", "--connect-timeout", "1", cloud.url]);
    return { holds: code === CURL_TIMED_OUT, saw: code === CURL_TIMED_OUT ? "no answer" : `curl exits ${code}` };
  });
  await seeNames(client, [SHOP, METER]);
  await seeRequests(client, [SHOP, METER]);
}

async function crashAgent(world: World, cloud: Cloud, agent: LabProcess): Promise<LabProcess> {
  story.step("Kill the agent (SIGKILL), the cloud still gone");
  await agent.kill();
  await story.see("names", async () => {
    const { code } = await world.client.run(["dig", "+tries=1", "+time=1", nameOf(SHOP), "A"]);
    return { holds: code === DIG_NO_REPLY, saw: code === DIG_NO_REPLY ? "nobody answers" : `dig exits ${code}` };
  });
  story.say("connections to service addresses go on in the kernel:");
  for (const service of [SHOP, METER]) {
    const { clusterIp } = service;
    await story.see(`${REQUESTS} requests to ${clusterIp}`, () => spreads(world.client, service, clusterIp));
  }
  story.step("Start the agent again, the cloud still gone");
  const restarted = await runAgent(world, cloud);
  await story.see("the first name is answered from the cache", () => resolvesWithin(world.client, SHOP));
  await seeNames(world.client, [METER]);
  await seeRequests(world.client, [SHOP, METER]);
  return restarted;
}

async function changeCloudUnseen({ client }: World, cloud: Cloud): Promise<void> {
  story.step("Change the cloud's mind while it is out of reach");
  story.say(`${nameOf(METER)} deleted, ${nameOf(NEW_SERVICE)} created, ${nameOf(SHOP)} has one backend left`);
  await cloud.remove(METER);
  await cloud.declare(NEW_SERVICE);
  await cloud.declare(SMALLER_SHOP);
  await seeNames(client, [SHOP, METER]);
  await seeRequests(client, [SHOP, METER]);
}

async function regainCloud({ cloudLink, client }: World): Promise<void> {
  story.step("Connect the cloud again");
  await cloudLink.restore();
  await story.see("the new service's name arrives", () => resolvesWithin(client, NEW_SERVICE));
  await story.see("the deleted service's name goes", () =>
    eventually(() => isUnknown(client, nameOf(METER)), BACK_IN_TOUCH),
  );
  await story.see("requests follow", () => eventually(() => spreads(client, SMALLER_SHOP, "shop"), BACK_IN_TOUCH));
  await seeRequests(client, [NEW_SERVICE]);
}

async function cleanUp({ edge }: World, agent: LabProcess): Promise<void> {
  story.step("Stop the agent and remove what it made");
  await agent.stop();
  await edge.output([AGENT, "cleanup"]);
  await story.see("tables in the kernel (nft)", async () => {
    const tables = await edge.output(["nft", "list", "tables"]);
    return { holds: tables === "", saw: tables === "" ? "none" : tables.trim() };
  });
}

async function keep({ client, edge, cloud }: World): Promise<void> {
  story.step("Left running until Ctrl-C. Enter it from another terminal:");
  for (const host of [client, edge, cloud]) story.say(`${host.name.padEnd(6)}  ${host.enter.join(" ")} bash`);
  story.say(`in client, for example: dig +search shop; curl http://shop`);
  story.say(`in edge1, for example:  ${AGENT} status; nft list ruleset`);
  const end = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end.resolve());
  await end.promise;
}

async function runAgent({ edge }: World, cloud: Cloud): Promise<LabProcess> {
  return await edge.spawn([
    ...[AGENT, "run", "--node-name", "edge1", ...(await cloud.introduce(edge))],
    ...["--dns-bind-ip", DNS_ADDRESS, "--proxy-cluster-cidr", POD_NETWORK],
  ]);
}

async function seeNames(client: Host, services: readonly DemoService[]): Promise<void> {
  for (const service of services) await story.see(nameOf(service), () => resolves(client, service));
}

async function seeRequests(client: Host, services: readonly DemoService[]): Promise<void> {
  for (const service of services) {
    const name = `${service.name}.${service.namespace}`;
    await story.see(`${REQUESTS} requests to ${name}`, () => spreads(client, service, name));
  }
}

function nameOf({ name, namespace }: DemoService): string {
  return `${name}.${namespace}.svc.cluster.local`;
}

function resolves(client: Host, service: DemoService): Promise<Observation> {
  return digs(client, [nameOf(service), "A"], service.clusterIp);
}

function resolvesWithin(client: Host, service: DemoService): Promise<Observation> {
  return eventually(() => resolves(client, service), BACK_IN_TOUCH);
}

async function digs(client: Host, question: readonly string[], answer: string): Promise<Observation> {
  const { stdout } = await client.run(["dig", "+short", "+tries=1", "+time=1", ...question]);
  const saw = stdout.trim().split("\n").at(-1) || "no answer";
  return { holds: saw === answer, saw };
}

async function isUnknown(client: Host, name: string): Promise<Observation> {
  const { stdout } = await client.run(["dig", "+tries=1", "+time=1", name, "A"]);
  const status = /status: (\w+)/.exec(stdout)?.[1] ?? "no answer";
  return { holds: status === "NXDOMAIN", saw: status };
}

/** Each request is a connection of its own. @param host the service's name, resolved by the pod's C library, or address */
async function spreads(client: Host, { backends }: DemoService, host: string): Promise<Observation> {
  const requests = ["-s", "-H", "Connection: close", `http://${host}/?[1-${REQUESTS}]`];
  const { stdout } = await client.run(["timeout", String(REQUESTS_SECONDS), "curl", ...requests]);
  const counts = new Map<string, number>(backends.map((backend) => [backend, 0]));
  for (const backend of stdout.split("\n").filter(Boolean)) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  const answered = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const saw = [...counts].map(([backend, count]) => `${backend} ${count}`).join(", ");
  return {
    holds: answered === REQUESTS && counts.size === backends.length && !counts.values().some((count) => count === 0),
    saw: answered === REQUESTS ? saw : `${saw}: ${REQUESTS - answered} without an answer`,
  };
}
