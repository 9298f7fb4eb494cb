import { join } from "node:path";
import { ApiServer, apiServerPrograms } from "../../lab/api-server.ts";
import { Lab } from "../../lab/lab.ts";
import type { KubernetesObject } from "../../lab/service-objects.ts";
import { benchNamespace, benchObjects, freshEndpointAddress, NAMESPACES } from "./bench-services.ts";
import { ServicePath } from "./service-path.ts";
import { Station } from "./station.ts";
import type { WriterCommands } from "./writer.ts";

const CLOUD = "192.0.2.1";
/** Of the API server's own certificate and token file in the lab. */
const ADMINISTRATOR = "administrator";
/** Coprime to the numbers of services: changes go through all of them in no order. */
const STRIDE = 7919;

/** A real API server with more and more services, and paths from clients through nodes to servers, all in one lab. */
export class ServicesWorld implements AsyncDisposable {
  readonly server: ApiServer;
  readonly #lab: Lab;
  readonly #writer: Station<WriterCommands>;
  readonly #paths: ReadonlyMap<string, ServicePath>;
  #services = 0;
  #changes = 0;

  /** @param nodes the names of the nodes, each with a path of its own */
  static async create(nodes: readonly string[]): Promise<ServicesWorld> {
    const lab = await Lab.create();
    try {
      const wan = await lab.switch("wan");
      const cloud = await lab.host("cloud");
      await cloud.connect(wan, { address: `${CLOUD}/24` });
      const server = await ApiServer.start(cloud, CLOUD, await apiServerPrograms());
      const writer = new Station<WriterCommands>(cloud, join(import.meta.dir, "writer.ts"));
      await writer.ask("open", { url: server.url, token: ADMINISTRATOR });
      const namespaces = Array.from({ length: NAMESPACES }, (_, i) => plainObject("Namespace", benchNamespace(i)));
      await writer.ask("create", namespaces);
      const paths = new Map<string, ServicePath>();
      for (const [i, name] of nodes.entries()) {
        const address = `192.0.2.${11 + i}`;
        // kube-proxy waits half a minute for the address of its node.
        const status = { addresses: [{ type: "InternalIP", address }] };
        await writer.ask("create", [{ ...plainObject("Node", name), status }]);
        paths.set(name, await ServicePath.create(lab, name, wan, address));
      }
      return new ServicesWorld(lab, server, writer, paths);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(
    lab: Lab,
    server: ApiServer,
    writer: Station<WriterCommands>,
    paths: ReadonlyMap<string, ServicePath>,
  ) {
    this.#lab = lab;
    this.server = server;
    this.#writer = writer;
    this.#paths = paths;
  }

  get services(): number {
    return this.#services;
  }

  path(name: string): ServicePath {
    const path = this.#paths.get(name);
    if (path === undefined) throw new Error(`Cannot find a path named ${name}`);
    return path;
  }

  /** Creates services until there are so many. */
  async grow(services: number): Promise<void> {
    const more = Array.from({ length: services - this.#services }, (_, i) => benchObjects(this.#services + i));
    await this.#writer.ask("create", more.flat());
    this.#services = services;
  }

  /** The next change of one endpoint: to an address that none had before, in a service that was not changed lately. */
  nextChange(): { readonly address: string; readonly slice: KubernetesObject } {
    const i = this.#changes++;
    const address = freshEndpointAddress(i);
    return { address, slice: benchObjects((i * STRIDE) % this.#services, address)[1] };
  }

  /** Makes a program that plans by the node's zone plan everything anew: no service is planned by it. */
  async moveNode(name: string, zone: string): Promise<void> {
    const node = plainObject("Node", name);
    await this.replace({ ...node, metadata: { ...node.metadata, labels: { "topology.kubernetes.io/zone": zone } } });
  }

  /** @returns when the API server had said yes */
  replace(object: KubernetesObject): Promise<number> {
    return this.#writer.ask("replace", object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#paths.values()) await path[Symbol.asyncDispose]();
    await this.#writer[Symbol.asyncDispose]();
    await this.#lab.close();
  }
}

function plainObject(kind: string, name: string): KubernetesObject {
  return { apiVersion: "v1", kind, metadata: { name } };
}
