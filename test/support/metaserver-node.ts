import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { Cloudcore } from "../lab/cloudcore.ts";
import { EdgeCertificates } from "../lab/edge-certificates.ts";
import { Edgecore, type EdgecoreOptions } from "../lab/edgecore.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import type { LabProcess } from "../lab/process.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { toolPaths } from "../lab/tools.ts";
import { waitFor } from "../lab/wait-for.ts";
import {
  AGENT,
  addPods,
  backendsOf,
  dig,
  HTTP_PORT,
  objectsOf,
  PODS,
  ruleset,
  statusOf,
  type TestService,
} from "./edge-world.ts";

/** As scripts/tools names them. */
export const EDGECORES = ["edgecore-1.15", "edgecore"] as const;
export const CLOUD_ADDRESS = "192.0.2.1";
const NODE = "edge1";
/** A change has to be there well before the next list, which comes a minute after the last at the earliest. */
const SOON = { timeout: seconds(20) };

export interface MetaServerNodeOptions {
  readonly edgecore: (typeof EDGECORES)[number];
  readonly requireAuthorization?: EdgecoreOptions["requireAuthorization"];
}

/** A host for the cloud, and an edge node with a real edgecore and the agent, whose source is edgecore's metaServer. */
export class MetaServerNode implements AsyncDisposable {
  readonly cloud: Host;
  readonly edge: Host;
  /** A pod of the node. */
  readonly client: Host;
  readonly uplink: Link;
  readonly edgecore: Edgecore;
  readonly certificates: EdgeCertificates;
  readonly #lab: Lab;
  readonly #stateDir = mkdtempSync(join(tmpdir(), "selvedge-state-"));
  #agent: LabProcess | undefined;

  /** Neither edgecore nor the agent runs yet. */
  static async create({ edgecore: name, requireAuthorization }: MetaServerNodeOptions): Promise<MetaServerNode> {
    const { [name]: program } = await toolPaths(name);
    const lab = await Lab.create();
    const wan = await lab.switch("wan");
    const [cloud, edge] = await Promise.all([lab.host("cloud"), lab.host(NODE)]);
    await cloud.connect(wan, { address: `${CLOUD_ADDRESS}/24` });
    const uplink = await edge.connect(wan, { address: "192.0.2.11/24", gateway: CLOUD_ADDRESS });
    const client = await addPods(edge);
    const certificates = await EdgeCertificates.create(CLOUD_ADDRESS, NODE);
    // edgecore wants a link of this name and asks for type dummy only where there is none; not every kernel has that type.
    if (requireAuthorization !== undefined) await edge.ip("link add edge-dummy0 type bridge");
    const where = { program, node: NODE, cloudAddress: CLOUD_ADDRESS, certificates };
    const edgecore = await Edgecore.install(edge, { ...where, requireAuthorization });
    return new MetaServerNode(lab, { cloud, edge, client, uplink, edgecore, certificates });
  }

  private constructor(
    lab: Lab,
    parts: Pick<MetaServerNode, "cloud" | "edge" | "client" | "uplink" | "edgecore" | "certificates">,
  ) {
    this.#lab = lab;
    this.cloud = parts.cloud;
    this.edge = parts.edge;
    this.client = parts.client;
    this.uplink = parts.uplink;
    this.edgecore = parts.edgecore;
    this.certificates = parts.certificates;
  }

  /** @returns when the agent is ready, which does not wait for the source */
  async startAgent(...args: readonly string[]): Promise<void> {
    const source = ["--source", "metaserver", "--source-url", this.edgecore.url];
    const argv = [AGENT, "run", "--node-name", NODE, "--state-dir", this.#stateDir, ...source, ...args];
    this.#agent = await this.edge.spawn(argv, { ready: /agent\.ready/ });
  }

  async killAgent(): Promise<void> {
    await this.#agent?.kill();
  }

  /**
   * Breaks the agent's connections to metaServer. Its watches end of themselves after one to five minutes; what they are
   * followed by comes now.
   */
  async endWatches(): Promise<void> {
    await this.edge.output(["ss", "-K", "dst", "127.0.0.1", "dport", "=", ":10550"]);
  }

  /** @returns when the cloud has listed each kind that it gives anew; with each watch another list follows in a moment */
  async nextLists(): Promise<void> {
    const before = new Date().toISOString();
    await this.endWatches();
    await waitFor(
      "a list of each kind",
      async () => {
        const { connected, kinds } = (await statusOf(this.edge)).source;
        const listed = kinds.filter(({ state }) => state !== "withheld").map(({ lastHeard }) => lastHeard ?? "");
        return connected && listed.every((time) => time > before);
      },
      { timeout: seconds(60) },
    );
  }

  /** @returns when a text is in the agent's cache on disk */
  async cached(text: string): Promise<void> {
    const grep = ["grep", "--quiet", "--recursive", "--fixed-strings", text, this.#stateDir];
    await waitFor(`${text} in the cache`, async () => (await this.edge.run(grep)).code === 0);
  }

  /** @returns when the service answers: in DNS, in the kernel, and with HTTP from a pod */
  async serves(service: TestService, wait = SOON): Promise<void> {
    const backends = service.endpoints.map(podAt).sort();
    await waitFor(
      `${service.name} from ${backends}`,
      async () =>
        (await dig(this.edge, service.name)) === service.clusterIp &&
        Bun.deepEquals(await backendsOf(this.client, service.clusterIp), backends),
      wait,
    );
  }

  /** @returns when neither DNS nor the kernel knows it */
  async servesNoLonger({ name, clusterIp }: TestService, wait = SOON): Promise<void> {
    await waitFor(
      `no more ${name}`,
      async () => (await dig(this.edge, name)) === "NXDOMAIN" && !mentions(await ruleset(this.edge), clusterIp),
      wait,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab.close();
    this.certificates[Symbol.dispose]();
    rmSync(this.#stateDir, { recursive: true, force: true });
  }
}

/** The stand-in for the cloud's side, and edgecore connected to it. */
export async function startCloudcore({ cloud, certificates, edgecore }: MetaServerNode): Promise<Cloudcore> {
  const cloudcore = await Cloudcore.start(cloud, CLOUD_ADDRESS, certificates);
  await cloudcore.put(nodeObject());
  await edgecore.start();
  await cloudcore.connected();
  return cloudcore;
}

export function nodeObject(): KubernetesObject {
  return { apiVersion: "v1", kind: "Node", metadata: { name: NODE }, spec: { podCIDR: "10.244.1.0/24" } };
}

/** The Endpoints object that a cluster keeps beside a service's slices. */
export function endpointsOf({ name, endpoints, targetPort = HTTP_PORT }: TestService): KubernetesObject {
  const addresses = endpoints.map((ip) => ({ ip }));
  const ports = [{ name: "http", port: targetPort, protocol: "TCP" }];
  const metadata = { name, namespace: "default" };
  return { apiVersion: "v1", kind: "Endpoints", metadata, subsets: [{ addresses, ports }] };
}

/** @param lastByte of its address */
export function service(name: string, lastByte: number, ...endpoints: readonly string[]): TestService {
  return { name, clusterIp: `10.96.1.${lastByte}`, endpoints };
}

/** A service with slice and Endpoints, as a cluster has it. */
export function clusterObjectsOf(service: TestService): readonly KubernetesObject[] {
  return [...objectsOf(service), endpointsOf(service)];
}

function podAt(address: string): string {
  const name = Object.entries(PODS).find(([, its]) => its === address)?.[0];
  if (name === undefined) throw new Error(`Cannot find the pod at ${address}`);
  return name;
}

function mentions(ruleset: string, address: string): boolean {
  return new RegExp(`(?<![0-9.])${address.replaceAll(".", "\\.")}(?![0-9.])`).test(ruleset);
}
