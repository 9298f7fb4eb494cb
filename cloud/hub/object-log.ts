import type { Resource } from "../../src/kube/resource.ts";
import type { HubEvent, HubObject } from "./plan.ts";

/** How far back a watch may begin; older ones get 410 and list. */
export const EVENTS_MAX = 10_000;

/** What is served now, and how it came to be. */
export class ObjectLog {
  readonly objects = new Map<string, HubObject>();
  /** Ids of objects that are there and handed out to nobody. */
  withheld: ReadonlySet<string> = new Set();
  #events: readonly HubEvent[] = [];
  #version: number;
  /** The version before the first event that is still here. */
  #oldest: number;

  /**
   * @param version where to begin. No state outlives the program, so it has to be above every version of earlier runs:
   *   the time in microseconds is, as no folder changes a million times a second
   */
  constructor(version: number) {
    this.#version = version;
    this.#oldest = version;
  }

  get version(): number {
    return this.#version;
  }

  append(events: readonly HubEvent[]): void {
    for (const { type, object } of events) {
      if (type === "DELETED") this.objects.delete(object.id);
      else this.objects.set(object.id, object);
      this.#version = object.version;
    }
    const all = [...this.#events, ...events];
    this.#events = all.slice(-EVENTS_MAX);
    if (this.#events.length < all.length) this.#oldest = (this.#events[0]?.object.version ?? this.#version) - 1;
  }

  /** Everything of a resource, sorted by key. */
  list(resource: Resource): readonly HubObject[] {
    return [...this.objects.values()].filter((o) => o.resource === resource).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The events after a version; undefined when it is older than what is kept, or not of this run. */
  since(version: number): readonly HubEvent[] | undefined {
    if (version < this.#oldest || version > this.#version) return undefined;
    return this.#events.filter((event) => event.object.version > version);
  }
}
