import type { EndpointSlice } from "./endpoint.ts";
import type { ObjectChange } from "./object-change.ts";
import type { ObjectKey, Service } from "./service.ts";

/** A service with the slices that speak for it. */
export interface ServiceView {
  readonly key: ObjectKey;
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
}

/** Where the view of a service is read when it is needed. */
export type ServiceViews = Pick<ServiceIndex, "get">;

interface Entry {
  service: Service | undefined;
  slices: readonly EndpointSlice[];
  /** undefined: there is no Endpoints object. */
  endpoints: readonly EndpointSlice[] | undefined;
}

const NONE: readonly EndpointSlice[] = [];

/**
 * Joins services with their endpoints, one changed service at a time.
 *
 * EndpointSlices win over Endpoints per service: an Endpoints object is used only while the service has no slice at
 * all, or wherever there is one while Endpoints are preferred. Slices may come before their service and stay when it
 * goes.
 */
export class ServiceIndex {
  readonly #entries = new Map<ObjectKey, Entry>();
  readonly #slices = new Map<ObjectKey, EndpointSlice>();

  #prefersEndpoints = false;

  /** @returns the services whose view may have changed */
  apply(changes: Iterable<ObjectChange>): ReadonlySet<ObjectKey> {
    const touched = new Set<ObjectKey>();
    for (const change of changes) {
      switch (change.kind) {
        case "Service":
          this.#entry(change.key).service = change.value;
          touched.add(change.key);
          break;
        case "EndpointSlice":
          this.#applySlice(change.key, change.value, touched);
          break;
        case "Endpoints":
          this.#entry(change.key).endpoints = change.value;
          touched.add(change.key);
          break;
        case "Node":
        case "ConfigMap":
        case "Secret":
        case "GlobalService":
          break;
      }
    }
    for (const key of touched) this.#dropEmpty(key);
    return touched;
  }

  get(key: ObjectKey): ServiceView | undefined {
    const entry = this.#entries.get(key);
    if (entry?.service === undefined) return undefined;
    const endpointsWin = this.#prefersEndpoints || entry.slices.length === 0;
    const slices = endpointsWin ? (entry.endpoints ?? entry.slices) : entry.slices;
    return { key, service: entry.service, slices };
  }

  /** @returns the services whose view may have changed */
  preferEndpoints(prefer: boolean): ReadonlySet<ObjectKey> {
    if (prefer === this.#prefersEndpoints) return new Set();
    this.#prefersEndpoints = prefer;
    const both = [...this.#entries].filter(([, { slices, endpoints }]) => slices.length > 0 && endpoints !== undefined);
    return new Set(both.map(([key]) => key));
  }

  *views(): Generator<ServiceView> {
    for (const key of this.#entries.keys()) {
      const view = this.get(key);
      if (view !== undefined) yield view;
    }
  }

  #applySlice(key: ObjectKey, slice: EndpointSlice | undefined, touched: Set<ObjectKey>): void {
    const before = this.#slices.get(key);
    if (before !== undefined) {
      const service = serviceOf(before);
      const entry = this.#entry(service);
      entry.slices = entry.slices.filter((s) => s !== before);
      touched.add(service);
    }
    if (slice === undefined) {
      this.#slices.delete(key);
      return;
    }
    this.#slices.set(key, slice);
    const service = serviceOf(slice);
    const entry = this.#entry(service);
    entry.slices = entry.slices.concat(slice);
    touched.add(service);
  }

  #entry(key: ObjectKey): Entry {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { service: undefined, slices: NONE, endpoints: undefined };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #dropEmpty(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    if (
      entry !== undefined &&
      entry.service === undefined &&
      entry.slices.length === 0 &&
      entry.endpoints === undefined
    ) {
      this.#entries.delete(key);
    }
  }
}

function serviceOf(slice: EndpointSlice): ObjectKey {
  return `${slice.namespace}/${slice.service}`;
}
