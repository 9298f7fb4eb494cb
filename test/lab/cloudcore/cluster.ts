import type { KubernetesObject } from "../service-objects.ts";

/** An object as it stands in the API server. */
export interface StoredObject extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly uid: string; readonly resourceVersion: string };
}

export interface Change {
  readonly operation: "insert" | "update" | "delete";
  readonly object: StoredObject;
}

/** Versions of a real cluster are far from 1. */
const FIRST_VERSION = 100_000;

/** What the API server behind cloudcore has: objects under keys, each change a version of its own. */
export class Cluster {
  readonly #objects = new Map<string, StoredObject>();
  #version = FIRST_VERSION;

  put(object: KubernetesObject): Change {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    const uid = known?.metadata.uid ?? crypto.randomUUID();
    const stored = this.#stamped({ ...object, metadata: { ...object.metadata, uid, resourceVersion: "" } });
    this.#objects.set(key, stored);
    return { operation: known === undefined ? "insert" : "update", object: stored };
  }

  /**
   * A deletion is a version of its own.
   * @param told the version that a watcher is told: the deletion's, or that of when the object was last written
   */
  remove(object: KubernetesObject, told: "new version" | "last version"): Change {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    if (known === undefined) throw new Error(`Cannot remove ${key} as there is none`);
    this.#objects.delete(key);
    const deleted = this.#stamped(known);
    return { operation: "delete", object: told === "new version" ? deleted : known };
  }

  /** @param collection such as "/core/v1/services" */
  objects(collection: string, name?: string): readonly StoredObject[] {
    const inside = [...this.#objects].filter(([key]) => key.startsWith(`${collection}/`)).map(([, object]) => object);
    return name === undefined ? inside : inside.filter((object) => object.metadata.name === name);
  }

  /** As the dynamic client lists it. */
  list(collection: string, name?: string): object {
    const [, group, version] = collection.split("/");
    const apiVersion = group === "core" ? version : `${group}/${version}`;
    const items = this.objects(collection, name);
    return {
      apiVersion,
      kind: `${items[0]?.kind ?? ""}List`,
      metadata: { resourceVersion: String(this.#version) },
      items,
    };
  }

  /** Versions are not consecutive: something else (leases, nodes) changes in between in every cluster. */
  #stamped(object: StoredObject): StoredObject {
    this.#version += 2;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }
}

export function collectionOf({ apiVersion, kind }: KubernetesObject): string {
  const group = apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`;
  return `/${group}/${kind.toLowerCase().replace(/s?$/, "s")}`;
}

function keyOf(object: KubernetesObject): string {
  return `${collectionOf(object)}/${object.metadata.namespace ?? "null"}/${object.metadata.name}`;
}
