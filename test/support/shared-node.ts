import { join } from "node:path";
import { minutes, seconds } from "../../src/base/duration.ts";
import { Debian } from "../lab/debian.ts";
import { fetchMissingPackages } from "../lab/missing-packages.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { Conversation } from "./conversation.ts";
import { backendsOf, dig, ECHO_PORT, EdgeWorld, PODS, ruleset, selvedge, withoutClients } from "./edge-world.ts";

const BOTH = Object.keys(PODS).join();
const ECHO = { name: "echo", clusterIp: "10.96.0.40", endpoints: Object.values(PODS), targetPort: ECHO_PORT };
const NEW = { name: "new", clusterIp: "10.96.0.30", endpoints: Object.values(PODS) };
/** fallback-table.ts, and the link of our addresses. */
const OUR_ROUTES = /lookup 1094\b|table 1094\b|dev fabedge-dummy0\b/;

export const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };

/**
 * An edge node with an agent, a pod in conversation through a service, and room for others: `debian` is this machine's
 * Debian with its systemd, on the same interfaces, routes and tables as the agent.
 */
export class SharedNode implements AsyncDisposable {
  /** The first time on a machine, Debian's packages are fetched. */
  static readonly createLimit = minutes(10);
  readonly world: EdgeWorld;
  readonly debian: Debian;
  #agent: LabProcess;
  #conversation: Conversation;

  /** @param packages of Debian's that this machine may lack, to be installed on the node */
  static async create(packages: readonly string[]): Promise<SharedNode> {
    const fetched = await fetchMissingPackages(packages);
    const world = await EdgeWorld.create();
    try {
      const debian = await Debian.boot(world.edge);
      await debian.install(fetched);
      await world.declare(WEB, ECHO);
      const agent = await world.startAgent();
      await waitFor("the services", async () => (await ruleset(world.edge)).includes(ECHO.clusterIp));
      return new SharedNode(world, debian, agent, await Conversation.start(world.client, ECHO.clusterIp));
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(world: EdgeWorld, debian: Debian, agent: LabProcess, conversation: Conversation) {
    this.world = world;
    this.debian = debian;
    this.#agent = agent;
    this.#conversation = conversation;
  }

  /** @throws Error unless pods and the node itself reach the service and its name, and the conversation never broke */
  async works(): Promise<void> {
    const { client, edge } = this.world;
    const seen = {
      pod: (await backendsOf(client, WEB.clusterIp)).join(),
      node: (await backendsOf(edge, WEB.clusterIp)).join(),
      name: await dig(client, WEB.name),
    };
    const wanted = { pod: BOTH, node: BOTH, name: WEB.clusterIp };
    if (!Bun.deepEquals(seen, wanted)) throw new Error(`Cannot see all services: ${JSON.stringify(seen)}`);
    await this.#conversation.goesOn();
  }

  /** The agent's tables, with their handles: what is deleted and made again has others. */
  async ours(): Promise<string> {
    const list = "nft -a list table ip selvedge; nft -a list table ip6 selvedge";
    return withoutClients(await this.debian.output(["sh", "-c", list]));
  }

  /** Every rule, set, policy rule and route of others, with their handles and without what they count. */
  async theirs(): Promise<string> {
    const tables = (await this.debian.output(["nft", "list", "tables"])).trim().split("\n");
    const foreign = tables.filter((table) => !/ selvedge$/.test(table));
    const lists = foreign.map((table) => `nft -a -s list ${table}`);
    const legacy = ["iptables", "ip6tables"].map(
      (program) =>
        `! command -v ${program}-legacy-save >/dev/null || ${program}-legacy-save | sed '/^#/d; s/\\[.*\\]//'`,
    );
    const routing = ["ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all"];
    const text = await this.debian.output(["sh", "-euc", [...lists, ...legacy, ...routing].join("\n")]);
    return text
      .split("\n")
      .filter((line) => !OUR_ROUTES.test(line))
      .join("\n");
  }

  /** Which packets of pods all chains of this node surely let pass: "from", "to", "from and to" or nothing. */
  async passingForwards(): Promise<string> {
    const script = join(import.meta.dir, "passing-forwards.ts");
    return (await this.world.edge.output([process.execPath, script, "cni0", "10.244.1.0/24", "10.244.2.0/24"])).trim();
  }

  /** What agents do to a kernel, one after the other: change, repair, restart, leave, start from nothing. */
  async doEverything(): Promise<void> {
    const { world } = this;
    await world.declare(NEW);
    await waitFor("a new service", async () => (await backendsOf(world.client, NEW.clusterIp)).join() === BOTH);
    await world.edge.output(["nft", "flush table ip selvedge; flush map ip selvedge endpoints"]);
    await waitFor("the repair", async () => (await ruleset(world.edge)).includes(PODS["web-2"]));
    await world.cached(NEW.clusterIp);
    await this.#agent.stop();
    this.#agent = await world.startAgent();
    await this.#conversation.goesOn();

    await this.#agent.stop();
    // Ends what is translated, if there is no other translator.
    await selvedge(world.edge, "cleanup");
    this.#agent = await world.startAgent();
    this.#conversation = await Conversation.start(world.client, ECHO.clusterIp);
    await world.remove(NEW.name);
    await waitFor("it gone", async () => !(await ruleset(world.edge)).includes(NEW.clusterIp), {
      timeout: seconds(20),
    });
    await waitFor("everything", async () => this.works().then(() => true));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}
