import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import type { CloudcoreState, Order } from "./cloudcore/program.ts";
import type { EdgeCertificates } from "./edge-certificates.ts";
import type { Host } from "./host.ts";
import type { KubernetesObject } from "./service-objects.ts";
import { waitFor } from "./wait-for.ts";

const PROGRAM = join(import.meta.dir, "cloudcore/program.ts");
/** edgecore tries a lost connection every 5 s, five times, and then pauses for two heartbeats. */
const RECONNECT_TIMEOUT = seconds(30);

/**
 * A stand-in for KubeEdge's cloudcore on a host of the lab: its end of the connection is cloudcore's (reference: its
 * pkg/cloudhub and pkg/dynamiccontroller), the cluster behind it is a map of objects.
 */
export class Cloudcore {
  readonly #socket: string;

  static async start(host: Host, address: string, certificates: EdgeCertificates): Promise<Cloudcore> {
    const socket = join(certificates.folder, "cloudcore.sock");
    await host.spawn([process.execPath, PROGRAM, address, certificates.folder, socket], { ready: /cloudcore ready/ });
    return new Cloudcore(socket);
  }

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Creates or changes objects, and tells a node that watches them. */
  async put(...objects: readonly KubernetesObject[]): Promise<void> {
    await this.#order({ put: objects });
  }

  async remove(...objects: readonly KubernetesObject[]): Promise<void> {
    await this.#order({ remove: objects });
  }

  /** Tells the deletion with the version that the object had before, which edgecore may drop. */
  async removeUnderLastVersion(...objects: readonly KubernetesObject[]): Promise<void> {
    await this.#order({ removeUnderLastVersion: objects });
  }

  /** As a controller of cloudcore sends an object that nobody watches. */
  async push(source: string, object: KubernetesObject): Promise<void> {
    await this.#order({ push: { source, object } });
  }

  /** Ends the node's connection with a reset, and takes none until it is back. */
  async leave(): Promise<void> {
    await this.#order({ reachable: false });
  }

  async comeBack(): Promise<void> {
    await this.#order({ reachable: true });
    await this.connected();
  }

  /** @param collections such as "/core/v1/services", which cloudcore's account may not read from here on */
  async refuse(...collections: readonly string[]): Promise<void> {
    await this.#order({ refuse: collections });
  }

  async connected(): Promise<void> {
    const connected = async () => (await this.#order({})).connected;
    await waitFor("the node connected to cloudcore", connected, { timeout: RECONNECT_TIMEOUT });
  }

  /** @returns when the node watches the collection */
  async watched(collection: string): Promise<void> {
    const watched = async () => (await this.#order({})).watched.includes(collection);
    await waitFor(`the node's watch of ${collection}`, watched, { timeout: RECONNECT_TIMEOUT });
  }

  /** @returns when a packet of the node has come again: the heartbeat is one each second */
  async hears(): Promise<void> {
    const { heard } = await this.#order({});
    await waitFor("the node's heartbeat", async () => (await this.#order({})).heard > heard, {
      timeout: RECONNECT_TIMEOUT,
    });
  }

  async #order(order: Order): Promise<CloudcoreState> {
    const request = { method: "POST", body: JSON.stringify(order), unix: this.#socket };
    return (await (await fetch("http://cloudcore/", request)).json()) as CloudcoreState;
  }
}
