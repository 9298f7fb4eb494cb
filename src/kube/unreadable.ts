import type { EventDescription } from "./event-series.ts";
import type { Informer } from "./informer.ts";
import { apiVersion } from "./resource.ts";

/**
 * What people are told of each object that cannot be read now.
 *
 * @param action what is done with such objects: "Plan"
 */
export function* describeUnreadable(
  { resource, store }: Informer<unknown>,
  action: string,
): Iterable<EventDescription> {
  for (const [key, { at, why }] of store.rejected) {
    const [namespace, name = ""] = resource.namespaced ? key.split("/") : [undefined, key];
    const counts = store.get(key) === undefined ? "It does not count until it can be" : "What it said before counts";
    yield {
      regarding: { apiVersion: apiVersion(resource), kind: resource.kind, namespace, name },
      type: "Warning",
      reason: "Unreadable",
      action,
      note: `Cannot read ${resource.kind} ${key} as ${at === "" ? "it" : at} is wrong: ${why}. ${counts}`,
    };
  }
}
