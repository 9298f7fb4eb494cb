import { milliseconds, seconds } from "../../../src/base/duration.ts";
import { Scope } from "../../../src/base/scope.ts";
import { type Fetch, KubeClient, type KubeEndpoint } from "../../../src/kube/client.ts";
import { ListWatch } from "../../../src/kube/list-watch.ts";
import type { ListWatchEvent } from "../../../src/kube/list-watch-event.ts";
import { KINDS } from "../../../src/kube/objects/kinds.ts";
import type { SourceKind } from "../../../src/kube/trust.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import type { Service } from "../../../src/network/service.ts";
import { waitFor } from "../../lab/wait-for.ts";

const realFetch: Fetch = (url, init) => fetch(url, init as RequestInit);

/** A list-watch of services over the real network, and what it has seen. */
export class Follower {
  readonly events: ListWatchEvent<Service>[] = [];
  readonly listWatch: ListWatch<Service>;
  readonly #scope = new Scope();
  readonly #prefix: string;

  /** @param prefix of the namespaces that count, on a server that others use too */
  constructor(source: SourceKind, endpoint: KubeEndpoint, prefix: string) {
    const clock = new SystemClock();
    this.#prefix = prefix;
    this.listWatch = new ListWatch({
      client: new KubeClient(endpoint, "selvedge/test", realFetch, clock),
      source,
      decoder: { resource: KINDS.Service.resource, decode: KINDS.Service.parse },
      emit: (event) => this.events.push(event),
      spread: milliseconds(0),
      clock,
      random: Math.random,
    });
    this.listWatch.start(this.#scope);
  }

  /** The services as the events add up, "name address". Lists replace everything when they are the cloud's. */
  get view(): readonly string[] {
    const view = new Map<string, string>();
    for (const event of this.events) {
      if (event.type === "list" && event.authoritative) view.clear();
      if (event.type === "list")
        for (const { key, value } of event.items) view.set(key, value?.clusterIps.join() ?? "");
      if (event.type === "upsert") view.set(event.object.key, event.object.value?.clusterIps.join() ?? "");
      if (event.type === "delete") view.delete(event.object.key);
    }
    return [...view]
      .filter(([key]) => key.startsWith(this.#prefix))
      .map(([key, ip]) => `${key} ${ip}`)
      .sort();
  }

  count(type: ListWatchEvent<Service>["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async sees(...expected: readonly string[]): Promise<void> {
    await waitFor(expected.join(", "), () => this.view.join() === expected.join(), { timeout: seconds(10) }).catch(
      (error) => {
        throw new Error(`${error.message}; there is ${this.view.join(", ")}`);
      },
    );
  }

  close(): Promise<void> {
    return this.#scope.close();
  }
}
