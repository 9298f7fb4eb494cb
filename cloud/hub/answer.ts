import { fail, ok, type Result } from "../../src/base/result.ts";
import { apiVersion, type Resource } from "../../src/kube/resource.ts";
import type { ObjectLog } from "./object-log.ts";
import type { HubEvent, HubObject } from "./plan.ts";
import type { HubRequest, RequestError } from "./request.ts";
import { SERVED } from "./resources.ts";
import type { Selector } from "./selector.ts";

type ListRequest = Extract<HubRequest, { kind: "list" }>;

/** The JSON text of a list, or of one page of it. */
export function answerList(log: ObjectLog, request: ListRequest): Result<string, RequestError> {
  const page = request.token === undefined ? undefined : parseToken(request.token);
  if (page === "wrong") {
    return fail({ code: 400, reason: "BadRequest", message: "the continue token is not one of ours" });
  }
  // Pages are of one moment; what has changed since is told as the API server tells it.
  if (page !== undefined && page.version !== log.version) {
    return fail({ code: 410, reason: "Expired", message: "the provided continue parameter is too old" });
  }
  const all = log.list(request.resource).filter((object) => request.selects(object.json));
  const rest = page === undefined ? all : all.filter((object) => object.key > page.after);
  const items = rest.slice(0, request.limit);
  const last = items.at(-1);
  const remaining = rest.length - items.length;
  const metadata = {
    resourceVersion: String(log.version),
    ...(remaining > 0 && last !== undefined
      ? { continue: formatToken({ version: log.version, after: last.key }), remainingItemCount: remaining }
      : {}),
  };
  const head = JSON.stringify({
    kind: `${request.resource.kind}List`,
    apiVersion: apiVersion(request.resource),
    metadata,
  });
  return ok(`${head.slice(0, -1)},"items":[${items.map((item) => item.text).join(",")}]}`);
}

interface Page {
  readonly version: number;
  readonly after: string;
}

function formatToken({ version, after }: Page): string {
  return Buffer.from(`${version} ${after}`).toString("base64url");
}

function parseToken(token: string): Page | "wrong" {
  const match = /^(\d{1,16}) (.+)$/.exec(Buffer.from(token, "base64url").toString());
  return match === null ? "wrong" : { version: Number(match[1]), after: match[2] ?? "" };
}

/** What a watch is told of an event: an object that begins or ceases to meet its selector appears or goes. */
export function watchLine(event: HubEvent, resource: Resource, selects: Selector): string | undefined {
  if (event.object.resource !== resource) return undefined;
  const meets = event.type !== "DELETED" && selects(event.object.json);
  const met = event.before !== undefined && selects(event.before.json);
  if (meets) return formatEvent(met ? "MODIFIED" : "ADDED", event.object);
  return met ? formatEvent("DELETED", event.object) : undefined;
}

export function formatEvent(type: HubEvent["type"], object: HubObject): string {
  return `{"type":"${type}","object":${object.text}}\n`;
}

export function formatBookmark(resource: Resource, version: number): string {
  const metadata = { resourceVersion: String(version) };
  return `${JSON.stringify({ type: "BOOKMARK", object: { kind: resource.kind, apiVersion: apiVersion(resource), metadata } })}\n`;
}

export function statusOf({ code, reason, message }: RequestError) {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
}

/** What kubectl and other clients ask before they ask for objects. @returns undefined for other paths */
export function answerDiscovery(path: string, version: string): unknown {
  const versions = [...new Set(SERVED.filter((r) => r.group !== "").map((r) => apiVersion(r)))];
  switch (path) {
    case "/version":
      return { major: "1", minor: "0", gitVersion: `v1.0.0+selvedge-${version}`, platform: "linux" };
    case "/api":
      return { kind: "APIVersions", versions: ["v1"] };
    case "/apis":
      return { kind: "APIGroupList", apiVersion: "v1", groups: versions.map(groupOf) };
  }
  const served = SERVED.filter((r) => path === `${r.group === "" ? "/api" : "/apis"}/${apiVersion(r)}`);
  if (served.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: served.map(apiVersion)[0],
    resources: served.map(({ plural, kind, namespaced }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ["get", "list", "watch"],
    })),
  };
}

function groupOf(groupVersion: string) {
  const [name = "", version = ""] = groupVersion.split("/");
  return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
}
