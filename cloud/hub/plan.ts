import type { Resource } from "../../src/kube/resource.ts";
import type { Manifest } from "./manifests.ts";

/** An object as it is served. */
export interface HubObject {
  readonly resource: Resource;
  readonly id: string;
  readonly key: string;
  readonly version: number;
  /** With uid and resourceVersion. */
  readonly json: Readonly<Record<string, unknown>>;
  /** `json` as text, made once for all who ask. */
  readonly text: string;
  /** The manifest as text: what tells a change. */
  readonly source: string;
}

export interface HubEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: HubObject;
  /** What the object was, for watches whose selector it no longer meets. */
  readonly before: HubObject | undefined;
}

/**
 * The events between what is served and what the folder says, deletions first, each with a version of its own.
 *
 * @param version the last version that was given out
 * @param makeUid from the object's id: the same object has the same uid in every run
 */
export function planEvents(
  served: ReadonlyMap<string, HubObject>,
  manifests: readonly Manifest[],
  version: number,
  makeUid: (id: string) => string,
): readonly HubEvent[] {
  const events: HubEvent[] = [];
  const wanted = new Set(manifests.map((manifest) => manifest.id));
  let next = version;
  for (const before of served.values()) {
    if (wanted.has(before.id)) continue;
    next += 1;
    events.push({ type: "DELETED", object: stamp(before, before.json, before.source, next, makeUid), before });
  }
  for (const manifest of manifests) {
    const before = served.get(manifest.id);
    const source = JSON.stringify(manifest.object);
    if (before?.source === source) continue;
    next += 1;
    const object = stamp(manifest, manifest.object, source, next, makeUid);
    events.push({ type: before === undefined ? "ADDED" : "MODIFIED", object, before });
  }
  return events;
}

function stamp(
  { resource, id, key }: { readonly resource: Resource; readonly id: string; readonly key: string },
  object: Readonly<Record<string, unknown>>,
  source: string,
  version: number,
  makeUid: (id: string) => string,
): HubObject {
  const { metadata, ...rest } = object as { readonly metadata: object };
  const stamped = { ...metadata, uid: makeUid(id), resourceVersion: String(version) };
  const json = { ...rest, metadata: stamped };
  return { resource, id, key, version, json, text: JSON.stringify(json), source };
}
