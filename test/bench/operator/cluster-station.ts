import { PUBLIC_ADDRESSES_ANNOTATION } from "../../../cloud/operator/object-names.ts";
import { minutes, seconds } from "../../../src/base/duration.ts";
import { KubeClient } from "../../../src/kube/client.ts";
import {
  CLUSTERS,
  COMMUNITIES,
  CONFIG_MAPS,
  collectionPath,
  NODES,
  type Resource,
} from "../../../src/kube/resource.ts";
import { KubeWriter } from "../../../src/kube/writer.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import type { KubernetesObject } from "../../lab/service-objects.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { serveStation } from "../services/station.ts";
import { benchCommunities, benchNode, freshPublicAddress, nodeName } from "./bench-nodes.ts";

/** Writes what people and kubelets write, beside the operator, and watches what becomes of it. */
export interface ClusterCommands {
  readonly open: { readonly argument: { readonly url: string; readonly token: string }; readonly answer: null };
  /** Nodes and their communities. */
  readonly grow: { readonly argument: { readonly from: number; readonly to: number }; readonly answer: null };
  /** Follows the ConfigMaps of a namespace from now on. */
  readonly watch: { readonly argument: string; readonly answer: null };
  /** Gives a node another public address. @returns once so many ConfigMaps have been written */
  readonly change: {
    readonly argument: { readonly node: number; readonly documents: number };
    readonly answer: Change;
  };
  /** How many ConfigMaps have been written since the last question. */
  readonly written: { readonly argument: null; readonly answer: number };
  /** What the API server has been asked to write since it started, without leases, by resource. */
  readonly writes: { readonly argument: null; readonly answer: Readonly<Record<string, number>> };
  readonly count: { readonly argument: string; readonly answer: number };
  /** The operator's own metrics. */
  readonly metrics: { readonly argument: null; readonly answer: string };
}

export interface Change {
  /** From the API server's answer to the change until each ConfigMap's event, in seconds and in their order. */
  readonly untilWritten: readonly number[];
  /** The same for the ConfigMap of the changed node. */
  readonly untilOwn: number;
}

export const METRICS_ADDRESS = "127.0.0.1:8081";
const CONNECTIONS = 8;
const CHANGE_TIMEOUT = seconds(60);
const WATCH_SECONDS = 3600;
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const WRITES =
  /^apiserver_request_total\{.*resource="([a-z]*)".*verb="(?:POST|PUT|PATCH|APPLY|DELETE|DELETECOLLECTION)".*\} (\d+)$/gm;
const OBSERVED = new Set(["configmaps", "secrets", "pods", "nodes", "communities", "clusters", "events"]);
const RESOURCES: Readonly<Record<string, Resource>> = { Node: NODES, Community: COMMUNITIES, Cluster: CLUSTERS };

class Cluster {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #writer: KubeWriter;
  readonly #signal = new AbortController().signal;
  readonly #seen: { readonly name: string; readonly at: number }[] = [];
  #changes = 0;
  #reported = 0;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#headers = { authorization: `Bearer ${token}` };
    // The lab's own server on the lab's own wire, and its certificate is its own authority.
    const credentials = async () => ({ token, tls: { insecure: true } });
    const client = new KubeClient({ url, credentials }, "bench", (to, init) => fetch(to, init), new SystemClock());
    this.#writer = new KubeWriter(client, "bench", minutes(1));
  }

  async create(objects: readonly KubernetesObject[]): Promise<void> {
    const queue = objects.values();
    const work = async () => {
      for (const object of queue) await this.#writer.create(RESOURCES[object.kind] as Resource, object, this.#signal);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, work));
  }

  async watch(namespace: string): Promise<void> {
    const path = collectionPath(CONFIG_MAPS, namespace);
    const list = await this.#get(`${path}?limit=1`);
    const { resourceVersion } = ((await list.json()) as { metadata: { resourceVersion: string } }).metadata;
    const watch = await this.#get(
      `${path}?watch=true&resourceVersion=${resourceVersion}&timeoutSeconds=${WATCH_SECONDS}`,
      METADATA_ONLY,
    );
    if (watch.body !== null) void this.#follow(watch.body);
  }

  async change(node: number, documents: number): Promise<Change> {
    const before = this.#seen.length;
    const address = freshPublicAddress(this.#changes++);
    const patch = { metadata: { annotations: { [PUBLIC_ADDRESSES_ANNOTATION]: address } } };
    await this.#writer.merge(NODES, { name: nodeName(node) }, patch, this.#signal);
    const answered = performance.now();
    const all = () => this.#seen.length - before >= documents;
    await waitFor(`${documents} ConfigMaps written`, all, { timeout: CHANGE_TIMEOUT });
    const events = this.#seen.slice(before);
    const own = events.find(({ name }) => name.endsWith(`-${nodeName(node)}`));
    if (own === undefined) throw new Error(`Cannot see the ConfigMap of ${nodeName(node)} written`);
    const since = (at: number) => (at - answered) / 1000;
    return { untilWritten: events.map(({ at }) => since(at)), untilOwn: since(own.at) };
  }

  written(): number {
    const count = this.#seen.length - this.#reported;
    this.#reported = this.#seen.length;
    return count;
  }

  async writes(): Promise<Readonly<Record<string, number>>> {
    const text = await (await this.#get("/metrics")).text();
    const counts: Record<string, number> = {};
    for (const [, resource = "", count] of text.matchAll(WRITES)) {
      if (OBSERVED.has(resource)) counts[resource] = (counts[resource] ?? 0) + Number(count);
    }
    return counts;
  }

  /** Of a collection, as the API server counts. */
  async count(path: string): Promise<number> {
    const list = (await (await this.#get(`${path}?limit=1`, METADATA_LIST)).json()) as {
      readonly items: readonly unknown[];
      readonly metadata: { readonly remainingItemCount?: number };
    };
    return list.items.length + (list.metadata.remainingItemCount ?? 0);
  }

  async #follow(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body) {
      const at = performance.now();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const { object } = JSON.parse(line) as { readonly object: { readonly metadata: { readonly name: string } } };
        this.#seen.push({ name: object.metadata.name, at });
      }
    }
  }

  async #get(path: string, accept = "application/json"): Promise<Response> {
    const response = await fetch(this.#url + path, {
      headers: { ...this.#headers, accept },
      tls: { rejectUnauthorized: false },
    });
    if (!response.ok) throw new Error(`Cannot get ${path}: HTTP ${response.status}: ${await response.text()}`);
    return response;
  }
}

let cluster: Cluster | undefined;

function opened(): Cluster {
  if (cluster === undefined) throw new Error("Cannot ask a cluster that has not been opened");
  return cluster;
}

if (import.meta.main) {
  await serveStation<ClusterCommands>({
    open: ({ url, token }) => {
      cluster = new Cluster(url, token);
      return null;
    },
    grow: async ({ from, to }) => {
      await opened().create(Array.from({ length: to - from }, (_, i) => benchNode(from + i)));
      await opened().create(benchCommunities(from, to));
      return null;
    },
    watch: async (namespace) => {
      await opened().watch(namespace);
      return null;
    },
    change: ({ node, documents }) => opened().change(node, documents),
    written: () => opened().written(),
    writes: () => opened().writes(),
    count: (path) => opened().count(path),
    metrics: async () => await (await fetch(`http://${METRICS_ADDRESS}/metrics`)).text(),
  });
  process.exit(0); // the watches have no end
}
