import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askAgent } from "../../edge/cli/control-client.ts";
import { CONTROL_SOCKET, type StatusReport } from "../../src/network/agent-report.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import type { LabProcess, RunOptions, RunResult } from "../lab/process.ts";
import { formatManifest, type KubernetesObject, serviceObjects } from "../lab/service-objects.ts";
import { waitFor } from "../lab/wait-for.ts";

const DIST = join(import.meta.dir, "../../dist");
export const AGENT = join(DIST, "selvedge-linux-x64");
const CLOUD_PROGRAM = join(DIST, "selvedge-cloud-linux-x64");
const BACKEND = join(import.meta.dir, "backend.ts");

const CLOUD_ADDRESS = "192.0.2.1";
const HUB_PORT = 8880;
const MANIFESTS = "/run/manifests";
const PLAN = [
  ...["--cluster=paris", "--cluster-cidr=10.244.0.0/16", `--connector-public-addresses=${CLOUD_ADDRESS}`],
  ...["--state-dir=/run/hub-state", `--join-listen=${CLOUD_ADDRESS}:0`],
];
const BRIDGE = { name: "cni0", address: "10.244.1.1/24" };

export const EDGE_ADDRESS = "192.0.2.11";
export const DNS_ADDRESS = "169.254.25.10";
export const HTTP_PORT = 8080;
export const ECHO_PORT = 7000;
/** Each runs backend.ts. */
export const PODS = { "web-1": "10.244.1.21", "web-2": "10.244.1.22" } as const;
export const HUB_URL = `http://${CLOUD_ADDRESS}:${HUB_PORT}`;
export const SETTINGS_FILE = "/etc/selvedge/config.yaml";

export interface TestService {
  readonly name: string;
  readonly clusterIp: string;
  readonly endpoints: readonly string[];
  /** HTTP_PORT unless told. */
  readonly targetPort?: number;
}

/** A cloud with a hub, and an edge node with two backends and a pod that uses them, all in a lab of their own. */
export class EdgeWorld implements AsyncDisposable {
  readonly lab: Lab;
  readonly cloud: Host;
  readonly edge: Host;
  readonly client: Host;
  /** The edge node's cable. */
  readonly uplink: Link;
  /** Where agents keep their cache: of this machine's file system, so that it outlives a host of the lab. */
  readonly stateDir = mkdtempSync(join(tmpdir(), "selvedge-state-"));
  #hubArguments: readonly string[] = [];
  #hub: LabProcess | undefined;

  /** @param plan whether the hub plans for the Nodes that are declared, besides serving objects */
  static async create({ plan = false } = {}): Promise<EdgeWorld> {
    const lab = await Lab.create();
    const wan = await lab.switch("wan");
    const [cloud, edge] = await Promise.all([lab.host("cloud"), lab.host("edge1")]);
    await cloud.connect(wan, { address: `${CLOUD_ADDRESS}/24` });
    const uplink = await edge.connect(wan, { address: `${EDGE_ADDRESS}/24` });
    const client = await addPods(edge);
    const world = new EdgeWorld(lab, cloud, edge, client, uplink);
    if (plan) world.#hubArguments = PLAN;
    await world.configure(edge);
    await cloud.output(["mkdir", MANIFESTS]);
    await world.startHub();
    return world;
  }

  private constructor(lab: Lab, cloud: Host, edge: Host, client: Host, uplink: Link) {
    this.lab = lab;
    this.cloud = cloud;
    this.edge = edge;
    this.client = client;
    this.uplink = uplink;
  }

  async startHub(): Promise<void> {
    const argv = [CLOUD_PROGRAM, "hub", "--manifests", MANIFESTS, "--listen", `${CLOUD_ADDRESS}:${HUB_PORT}`];
    this.#hub = await this.cloud.spawn([...argv, ...this.#hubArguments], { ready: /hub\.serving/ });
  }

  async stopHub(): Promise<void> {
    await this.#hub?.stop();
  }

  /** Services of the namespace default, in a file each, as the hub serves them. */
  async declare(...services: readonly TestService[]): Promise<void> {
    for (const service of services) await this.declareObjects(service.name, objectsOf(service));
  }

  async declareObjects(file: string, objects: readonly KubernetesObject[]): Promise<void> {
    await this.cloud.writeFile(manifestOf(file), formatManifest(objects));
  }

  async remove(...files: readonly string[]): Promise<void> {
    await this.cloud.output(["rm", ...files.map(manifestOf)]);
  }

  /** Starts the compiled agent and returns when it is ready, as it says itself. */
  startAgent({ on = this.edge, program = AGENT, args = [], env = {} }: AgentOptions = {}): Promise<LabProcess> {
    return on.spawn([program, "run", ...args], { ready: /agent\.ready/, env });
  }

  /** Writes the settings of an agent of this world, with more lines if there are. */
  async configure(host: Host, ...more: readonly string[]): Promise<void> {
    const lines = ["node-name: edge1", "source: hub", `source-url: ${HUB_URL}`, `state-dir: ${this.stateDir}`, ...more];
    await host.writeFile(SETTINGS_FILE, `${lines.join("\n")}\n`);
  }

  /** @returns when a text is in the agent's cache on disk, where it comes within a second or two */
  async cached(text: string): Promise<void> {
    const files = () => readdirSync(this.stateDir).map((name) => readFileSync(join(this.stateDir, name)));
    await waitFor(`${text} in the cache`, () => files().some((bytes) => bytes.includes(text)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.close();
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}

export interface AgentOptions {
  readonly on?: Host;
  readonly program?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** @returns the pod that uses the others */
export async function addPods(host: Host, prefix = ""): Promise<Host> {
  for (const [name, address] of Object.entries(PODS)) {
    await addBackend(host, name, address, prefix);
  }
  return await addPod(host, `${prefix}client`, "10.244.1.10");
}

export function addPod(host: Host, name: string, address: string): Promise<Host> {
  return host.pod(name, { address: `${address}/24`, bridge: BRIDGE });
}

/** A pod that runs backend.ts. */
export async function addBackend(host: Host, name: string, address: string, prefix = ""): Promise<Host> {
  const pod = await addPod(host, prefix + name, address);
  await pod.spawn([process.execPath, BACKEND, name], { ready: /ready/ });
  return pod;
}

export function objectsOf({
  targetPort = HTTP_PORT,
  ...service
}: TestService): readonly [KubernetesObject, KubernetesObject] {
  return serviceObjects({ ...service, namespace: "default", targetPort });
}

/** Runs the compiled program to its end. */
export function selvedge(host: Host, words: string, options: RunOptions = {}): Promise<RunResult> {
  return host.run([AGENT, ...words.split(" ")], options);
}

/** As `selvedge status -o json` has it, and without starting that program for each look. */
export function statusOf(host: Host): Promise<StatusReport> {
  return askAgent(host.fromOutside(`/run/selvedge/${CONTROL_SOCKET}`), "/v1/status", "Status");
}

export async function conditionOf(host: Host, code: string): Promise<StatusReport["conditions"][number] | undefined> {
  return (await statusOf(host)).conditions.find((condition) => condition.code === code);
}

/** What dig gets for a name of the namespace default: an address, or the status where there is none. */
export async function dig(host: Host, service: string, ...options: readonly string[]): Promise<string> {
  return await digName(host, `${service}.default.svc.cluster.local`, ...options);
}

/** The same for any name. */
export async function digName(host: Host, name: string, ...options: readonly string[]): Promise<string> {
  const { stdout } = await host.run(["dig", "+tries=1", "+time=5", ...options, `@${DNS_ADDRESS}`, name, "A"]);
  const address = /\sIN\s+A\s+(\S+)$/m.exec(stdout)?.[1];
  return address ?? /status: (\w+)/.exec(stdout)?.[1] ?? "no answer";
}

/** What curl gets, or its exit status: 7 is refused, 28 a time-out. */
export async function curl(host: Host, url: string): Promise<string> {
  const { stdout, code } = await host.run(["curl", "-sS", "--max-time", "2", url]);
  return code === 0 ? stdout.trim() : `curl exits ${code}`;
}

/** Which backends answer forty requests, each a connection of its own; "nobody" is among them where one gets no answer. */
export async function backendsOf(host: Host, address: string): Promise<readonly string[]> {
  const argv = ["curl", "-s", "--max-time", "5", "-H", "Connection: close", `http://${address}/?[1-40]`];
  const lines = (await host.run(argv)).stdout.trim().split("\n");
  const names = lines.map((line) => line.split(" ")[0] || "nobody");
  return [...new Set(lines.length < 40 ? [...names, "nobody"] : names)].sort();
}

export async function ruleset(host: Host): Promise<string> {
  const tables = (await host.output(["nft", "list", "ruleset"])).split(/^(?=table )/m);
  return tables.map((table) => (table === "" ? "" : withoutClients(inOrderOfNames(table)))).join("");
}

/** nft lists what is in a table as it was made, which says nothing. */
function inOrderOfNames(table: string): string {
  const [head = "", ...parts] = table.replace(/^\}\n/m, "").split(/^(?=\t[a-z])/m);
  return [head, ...parts.map((part) => part.trimEnd()).sort(), "}", ""].join("\n");
}

/** What `nft` lists, without what the kernel itself notes there of those that ask for names. */
export function withoutClients(listing: string): string {
  return listing
    .replace(/(set dns-(?:clients|rates) \{[^}]*?)\n\s*elements = \{[^}]*\}/g, "$1")
    .replace(/counter packets \d+ bytes \d+ drop/g, "counter drop");
}

function manifestOf(file: string): string {
  return `${MANIFESTS}/${file}.yaml`;
}
