import { type DecodeError, fail, ok, type Result } from "../../src/base/result.ts";
import { parseJson } from "../../src/kube/json-view.ts";
import { LIST_ITEMS_MAX } from "../../src/kube/list.ts";
import { parseCluster } from "../../src/kube/objects/cluster.ts";
import { parseCommunity } from "../../src/kube/objects/community.ts";
import { KINDS } from "../../src/kube/objects/kinds.ts";
import { NAME_LENGTH_MAX, parseIdentity } from "../../src/kube/objects/metadata.ts";
import { TUNNELS_FILE } from "../../src/kube/objects/node-documents.ts";
import { CLUSTERS, COMMUNITIES, CONFIG_MAPS, type Resource } from "../../src/kube/resource.ts";
import { type Document, type FileError, parseDocuments } from "./documents.ts";
import { resourceOf } from "./resources.ts";

type Json = Readonly<Record<string, unknown>>;

/** An object of a file, complete enough to be served. */
export interface Manifest {
  readonly resource: Resource;
  /** "services d/web": one object in the whole folder. */
  readonly id: string;
  /** "namespace/name", or the name. */
  readonly key: string;
  readonly object: Json;
  readonly line: number;
}

export interface ManifestFile {
  readonly manifests: readonly Manifest[];
  /** Objects that the hub does not serve, such as "apps/v1 Deployment". */
  readonly passedOver: readonly string[];
}

/** Reads a file's text. One object that is wrong refuses the file: half a file is not what anybody meant. */
export function parseManifestFile(text: string): Result<ManifestFile, FileError> {
  const documents = parseDocuments(text);
  if (!documents.ok) return documents;
  const manifests: Manifest[] = [];
  const passedOver: string[] = [];
  for (const document of documents.value) {
    const items = itemsOf(document);
    if (!items.ok) return items;
    for (const item of items.value) {
      const read = readManifest(item, document.line);
      if (!read.ok) return read;
      if (typeof read.value === "string") passedOver.push(read.value);
      else manifests.push(read.value);
    }
    if (manifests.length > LIST_ITEMS_MAX) return refuse(document.line, `more than ${LIST_ITEMS_MAX} objects`);
  }
  return ok({ manifests, passedOver });
}

/** The objects of a List, or the one object. */
function itemsOf({ value, line }: Document): Result<readonly unknown[], FileError> {
  const items = parseJson(value, (object) => {
    const kind = object.field("kind").string(NAME_LENGTH_MAX);
    const list = object.field("items");
    if (!kind.endsWith("List") || list.absent) return undefined;
    list.array(LIST_ITEMS_MAX);
    return (value as { readonly items: readonly unknown[] }).items;
  });
  return items.ok ? ok(items.value ?? [value]) : refuseAt(line, "", items.error);
}

/** @returns the name of the kind when the hub does not serve it */
function readManifest(value: unknown, line: number): Result<Manifest | string, FileError> {
  const type = parseJson(value, (object) => ({
    apiVersion: object.field("apiVersion").string(NAME_LENGTH_MAX),
    kind: object.field("kind").string(NAME_LENGTH_MAX),
    namespace: object.field("metadata").field("namespace").optionalString(NAME_LENGTH_MAX),
  }));
  if (!type.ok) return refuseAt(line, "", type.error);
  const { kind, namespace } = type.value;
  const [group, version] = splitApiVersion(type.value.apiVersion);
  const resource = resourceOf(group, version, kind);
  if (resource === undefined) return ok(`${type.value.apiVersion} ${kind}`);
  const object = withNamespace(value as Json, resource.namespaced ? namespace || "default" : undefined);
  const identity = parseIdentity(object, resource);
  if (!identity.ok) return refuseAt(line, kind, identity.error);
  const { key } = identity.value;
  const wrong = checkContent(resource, object);
  if (wrong !== undefined) return refuseAt(line, `${kind} ${key}`, wrong);
  return ok({ resource, id: objectId(resource, key), key, object, line });
}

export function objectId({ group, plural }: Resource, key: string): string {
  return `${group}/${plural} ${key}`;
}

function splitApiVersion(text: string): readonly [group: string, version: string] {
  const at = text.indexOf("/");
  return at < 0 ? ["", text] : [text.slice(0, at), text.slice(at + 1)];
}

function withNamespace(object: Json, namespace: string | undefined): Json {
  const metadata = { ...(object["metadata"] as Json) };
  if (namespace === undefined) delete metadata["namespace"];
  else metadata["namespace"] = namespace;
  return { ...object, metadata };
}

const FABRIC = new Map<Resource, (object: Json) => Result<unknown, DecodeError>>([
  [COMMUNITIES, parseCommunity],
  [CLUSTERS, parseCluster],
]);

function hasTunnels(object: Json): boolean {
  const data = object["data"];
  return typeof data === "object" && data !== null && TUNNELS_FILE in data;
}

/** What an agent would make of the object: a mistake is told to whoever wrote it, not to every node. */
function checkContent(resource: Resource, object: Json): DecodeError | undefined {
  // Of ConfigMaps only those are an agent's that have what it reads.
  if (resource === CONFIG_MAPS && !hasTunnels(object)) return undefined;
  const known = Object.values(KINDS).find((kind) => kind.resource === resource);
  const parsed = known?.parse(object) ?? FABRIC.get(resource)?.(object);
  if (parsed !== undefined && !parsed.ok) return parsed.error;
  if (resource !== KINDS.Service.resource) return undefined;
  const service = KINDS.Service.parse(object);
  if (!service.ok || service.value === undefined) return undefined;
  const { type, headless, clusterIps } = service.value;
  if (type === "ExternalName" || headless || clusterIps.length > 0) return undefined;
  return {
    at: "spec.clusterIP",
    why: "missing: a folder has nobody who gives out addresses, so write one, such as 10.96.0.10, or None for a headless service",
  };
}

function refuseAt(line: number, object: string, { at, why }: DecodeError): Result<never, FileError> {
  return refuse(line, [object, String(at), why].filter((part) => part !== "").join(": "));
}

function refuse(line: number, reason: string): Result<never, FileError> {
  return fail({ line, reason });
}
