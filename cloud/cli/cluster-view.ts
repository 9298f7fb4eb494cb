import type { Clock } from "../../src/base/clock.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { getObject } from "../../src/kube/get.ts";
import { listObjects } from "../../src/kube/list.ts";
import type { Rejected } from "../../src/kube/list-watch-event.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import type { Selection } from "../../src/kube/resource.ts";
import { WRITE_TIMEOUT } from "../../src/kube/writer.ts";

/** The API server, as one command reads it once. */
export class ClusterView {
  readonly namespace: string;
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #signal = new AbortController().signal;
  readonly #rejected: (Rejected & { readonly kind: string })[] = [];

  constructor(client: KubeClient, namespace: string, clock: Clock) {
    this.#client = client;
    this.namespace = namespace;
    this.#clock = clock;
  }

  /** Where it is. */
  get url(): string {
    return this.#client.url;
  }

  /** What in the lists so far could not be read. */
  get rejected(): readonly (Rejected & { readonly kind: string })[] {
    return this.#rejected;
  }

  async list<T>(decoder: ObjectDecoder<T>, selection: Selection = {}): Promise<readonly T[]> {
    return [...(await this.entries(decoder, selection)).values()];
  }

  /** By key. */
  async entries<T>(decoder: ObjectDecoder<T>, selection: Selection = {}): Promise<ReadonlyMap<string, T>> {
    const query = { client: this.#client, source: "api-server", decoder, clock: this.#clock, ...selection } as const;
    const { items, rejected } = await listObjects(query, this.#signal);
    for (const each of rejected) this.#rejected.push({ ...each, kind: decoder.resource.kind });
    return new Map(items.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value] as const])));
  }

  /** An object of the namespace. */
  async get<T>(decoder: ObjectDecoder<T>, name: string): Promise<T | undefined> {
    return (await getObject(this.#client, decoder, { namespace: this.namespace, name }, this.#signal))?.value;
  }

  /** What is no object, such as /version. */
  async ask(path: string): Promise<unknown> {
    return await this.#client.send({ verb: "get", method: "GET", path, timeout: WRITE_TIMEOUT }, this.#signal);
  }

  /** A review, which is made to be answered and is kept nowhere. */
  async review(path: string, review: object): Promise<unknown> {
    const body = { type: "application/json", text: JSON.stringify(review) };
    return await this.#client.send(
      { verb: "create", method: "POST", path, body, timeout: WRITE_TIMEOUT },
      this.#signal,
    );
  }
}
