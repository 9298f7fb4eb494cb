import { fail, ok, type Result } from "../../src/base/result.ts";
import { NAME_LENGTH_MAX } from "../../src/kube/objects/metadata.ts";
import { apiVersion, type Resource } from "../../src/kube/resource.ts";
import { SERVED } from "./resources.ts";
import { parseFieldSelector, parseLabelSelector, type Selector } from "./selector.ts";

/** Why a request is refused, as a Status says it. */
export interface RequestError {
  readonly code: 400 | 403 | 404 | 405 | 410;
  readonly reason: "BadRequest" | "Forbidden" | "NotFound" | "MethodNotAllowed" | "Expired";
  readonly message: string;
}

export type HubRequest =
  | { readonly kind: "get"; readonly resource: Resource; readonly key: string }
  | {
      readonly kind: "list";
      readonly resource: Resource;
      readonly selects: Selector;
      readonly limit: number | undefined;
      readonly token: string | undefined;
    }
  | {
      readonly kind: "watch";
      readonly resource: Resource;
      readonly selects: Selector;
      /** Undefined: begin with everything that there is. */
      readonly from: number | undefined;
      readonly bookmarks: boolean;
      readonly timeoutSeconds: number;
    };

/** The API server's own default is 30 to 60 minutes. */
const WATCH_SECONDS = 1800;
const WATCH_SECONDS_MAX = 86_400;

/** Reads a request for objects. @returns undefined for other paths */
export function parseRequest(path: string, query: URLSearchParams): Result<HubRequest, RequestError> | undefined {
  const place = parsePath(path);
  if (place === undefined) return undefined;
  const { resource, namespace, name } = place;
  if (name !== undefined) {
    if (query.get("watch") !== null)
      return refuse(400, "BadRequest", "watch one object by fieldSelector=metadata.name");
    return ok({ kind: "get", resource, key: namespace === undefined ? name : `${namespace}/${name}` });
  }
  const selects = parseSelectors(query, namespace);
  if (!selects.ok) return refuse(400, "BadRequest", selects.error);
  if (!isTrue(query.get("watch"))) {
    const limit = parseCount(query.get("limit"));
    if (limit === "wrong") return refuse(400, "BadRequest", "limit is not a number");
    const token = query.get("continue") || undefined;
    return ok({ kind: "list", resource, selects: selects.value, limit: limit || undefined, token });
  }
  const from = parseCount(query.get("resourceVersion"));
  const timeout = parseCount(query.get("timeoutSeconds"));
  if (from === "wrong") return refuse(400, "BadRequest", "resourceVersion is not a number");
  if (timeout === "wrong") return refuse(400, "BadRequest", "timeoutSeconds is not a number");
  return ok({
    kind: "watch",
    resource,
    selects: selects.value,
    from: from || undefined,
    bookmarks: isTrue(query.get("allowWatchBookmarks")),
    timeoutSeconds: Math.min(timeout || WATCH_SECONDS, WATCH_SECONDS_MAX),
  });
}

function parsePath(path: string) {
  for (const resource of SERVED) {
    const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${apiVersion(resource)}`;
    if (!path.startsWith(`${root}/`)) continue;
    const parts = path.slice(root.length + 1).split("/");
    const namespaced = resource.namespaced && parts[0] === "namespaces" && parts.length > 2;
    const [namespace, rest] = namespaced ? [parts[1], parts.slice(2)] : [undefined, parts];
    if (rest[0] !== resource.plural || rest.length > 2) continue;
    if (rest.length === 2 && resource.namespaced && namespace === undefined) continue;
    if (parts.some((part) => part === "" || part.length > NAME_LENGTH_MAX)) continue;
    return { resource, namespace, name: rest[1] };
  }
  return undefined;
}

function parseSelectors(query: URLSearchParams, namespace: string | undefined): Result<Selector, string> {
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  if (!labels.ok) return labels;
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "");
  if (!fields.ok) return fields;
  const within: Selector =
    namespace === undefined
      ? () => true
      : (object) => (object["metadata"] as { readonly namespace?: string }).namespace === namespace;
  return ok((object) => within(object) && labels.value(object) && fields.value(object));
}

function parseCount(text: string | null): number | undefined | "wrong" {
  if (text === null || text === "") return undefined;
  return /^\d{1,16}$/.test(text) ? Number(text) : "wrong";
}

function isTrue(text: string | null): boolean {
  return text === "true" || text === "1";
}

function refuse(
  code: RequestError["code"],
  reason: RequestError["reason"],
  message: string,
): Result<never, RequestError> {
  return fail({ code, reason, message });
}
