import type { EventDescription } from "./event-series.ts";
import type { Informer } from "./informer.ts";
import { apiVersion } from "./resource.ts";

/** What people are told of each object that cannot be read now. */
export function* describeUnreadable({ resource, store }: Informer<unknown>): Iterable<EventDescription> {
  for (const [key, { at, why }] of store.rejected) {
    const [namespace, name = ""] = resource.namespaced ? key.split("/") : [undefined, key];
    yield {
      regarding: { apiVersion: apiVersion(resource), kind: resource.kind, namespace, name },
      type: "Warning",
      reason: "Unreadable",
      action: "Plan",
      note: `Cannot read ${resource.kind} ${key} as ${at === "" ? "it" : at} is wrong: ${why}. What it said before counts`,
    };
  }
}
