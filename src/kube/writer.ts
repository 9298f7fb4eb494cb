import { type Duration, seconds } from "../base/duration.ts";
import { errorCode } from "../base/errors.ts";
import type { KubeClient, Method, Query } from "./client.ts";
import { parseJson } from "./json-view.ts";
import type { Manifest } from "./manifest.ts";
import { OPAQUE_LENGTH_MAX } from "./objects/metadata.ts";
import { apiVersion, collectionPath, type ObjectName, objectPath, type Resource } from "./resource.ts";
import { badResponse } from "./status.ts";

/** Of the object that a plan was made from: it fails with KUBE_CONFLICT once the object is another, or was changed. */
export interface Precondition {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface ApplyOptions {
  /** Takes fields over from other managers; without it, their fields are a KUBE_CONFLICT. */
  readonly force?: boolean;
  readonly subresource?: "status";
  /** absent: it fails with KUBE_CONFLICT where there is an object of that name. */
  readonly precondition?: Precondition | "absent" | undefined;
}

/** What a write left behind. The same resourceVersion as before: the object already was as wanted. */
export interface Written {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** An API server works on a write for a second at most when it is well; a leader must not wait long for one that is not. */
export const WRITE_TIMEOUT = seconds(10);
/**
 * An API server compares the version of what is applied with that of the object, and passes over it where there is none
 * (staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go, Update). This one no object has: the store had a
 * namespace before.
 */
const NO_VERSION = "1";
/** The identity is enough of an answer: of a Secret of a node, nothing has to come back. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/** Writes under one field manager's name: server-side apply, creation and deletion. One request each, tried once. */
export class KubeWriter {
  readonly fieldManager: string;
  readonly #client: KubeClient;
  readonly #timeout: Duration;

  constructor(client: KubeClient, fieldManager: string, timeout: Duration = WRITE_TIMEOUT) {
    this.#client = client;
    this.fieldManager = fieldManager;
    this.#timeout = timeout;
  }

  /**
   * Creates the object or changes it, so that the fields of the manifest are as it says, and those that this manager
   * set before and no longer names are gone. Fields of other managers stay.
   */
  async apply(
    resource: Resource,
    manifest: Manifest,
    signal: AbortSignal,
    { force = false, subresource, precondition }: ApplyOptions = {},
  ): Promise<Written> {
    const path = objectPath(resource, manifest.metadata) + (subresource === undefined ? "" : `/${subresource}`);
    const metadata = { ...manifest.metadata, ...conditionOf(precondition) };
    return await this.#write(
      { verb: "apply", method: "PATCH", path, query: { force: force ? "true" : undefined } },
      { type: "application/apply-patch+yaml", object: { ...typed(resource, manifest), metadata } },
      signal,
    );
  }

  /** Creates an object that is not there yet: one that is is a KUBE_CONFLICT. */
  async create(resource: Resource, manifest: Manifest, signal: AbortSignal): Promise<Written> {
    const path = collectionPath(resource, manifest.metadata.namespace);
    return await this.#write(
      { verb: "create", method: "POST", path, query: {} },
      { type: "application/json", object: typed(resource, manifest) },
      signal,
    );
  }

  /** RFC 7386: changes the named fields and no others, of an object that is there. */
  async merge(resource: Resource, name: ObjectName, patch: object, signal: AbortSignal): Promise<Written> {
    return await this.#write(
      { verb: "patch", method: "PATCH", path: objectPath(resource, name), query: {} },
      { type: "application/merge-patch+json", object: patch },
      signal,
    );
  }

  /**
   * What belongs to the object goes after it, in the background.
   *
   * @returns false: it was gone before
   */
  async delete(
    resource: Resource,
    name: ObjectName,
    precondition: Precondition,
    signal: AbortSignal,
  ): Promise<boolean> {
    const options = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" };
    const preconditions = conditionOf(precondition);
    const body = { type: "application/json", text: JSON.stringify({ ...options, preconditions }) };
    const path = objectPath(resource, name);
    const request = { verb: "delete", method: "DELETE", path, body, accept: METADATA_ONLY } as const;
    try {
      await this.#client.send({ ...request, timeout: this.#timeout }, signal);
      return true;
    } catch (error) {
      if (errorCode(error) === "KUBE_NOT_FOUND") return false;
      throw error;
    }
  }

  async #write(
    request: { readonly verb: string; readonly method: Method; readonly path: string; readonly query: Query },
    { type, object }: { readonly type: string; readonly object: object },
    signal: AbortSignal,
  ): Promise<Written> {
    const query = { ...request.query, fieldManager: this.fieldManager };
    const body = { type, text: JSON.stringify(object) };
    const json = await this.#client.send(
      { ...request, query, body, accept: METADATA_ONLY, timeout: this.#timeout },
      signal,
    );
    const written = parseJson(json, (answer) => {
      const metadata = answer.field("metadata");
      return {
        uid: metadata.field("uid").string(OPAQUE_LENGTH_MAX),
        resourceVersion: metadata.field("resourceVersion").string(OPAQUE_LENGTH_MAX),
      };
    });
    if (written.ok) return written.value;
    throw badResponse(`${request.verb} ${request.path}`, `${written.error.at}: ${written.error.why}`);
  }
}

/** These two and nothing else: whoever asks may have more in hand, such as what is in the object. */
function conditionOf(precondition: ApplyOptions["precondition"]): Precondition {
  if (precondition === "absent") return { resourceVersion: NO_VERSION };
  return { uid: precondition?.uid, resourceVersion: precondition?.resourceVersion };
}

function typed(resource: Resource, manifest: Manifest): Manifest {
  return { ...manifest, apiVersion: apiVersion(resource), kind: resource.kind };
}
