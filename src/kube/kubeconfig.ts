import type { DecodeError, Result } from "../base/result.ts";
import { type JsonView, parseJson } from "./json-view.ts";

/** Where a kubeconfig has bytes: in itself, or in a file named relative to it. */
export type Material =
  | { readonly from: "data"; readonly text: string }
  | { readonly from: "file"; readonly path: string };

/** One context of a kubeconfig, looked up. */
export interface KubeconfigContext {
  readonly server: string;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
  readonly ca: Material | undefined;
  readonly cert: Material | undefined;
  readonly key: Material | undefined;
  readonly token: Material | undefined;
}

/** A kubeconfig of a person who has hundreds of clusters. */
const ENTRIES_MAX = 1000;
const TEXT_MAX = 256 * 1024;
const URL_MAX = 2048;

/**
 * @param document the parsed YAML or JSON
 * @param named a context; undefined: the current one
 */
export function parseKubeconfig(document: unknown, named?: string): Result<KubeconfigContext, DecodeError> {
  return parseJson(document, (config) => {
    const current = config.field("current-context");
    const chosen = named ?? current.optionalString(TEXT_MAX);
    if (!chosen) current.refuse("missing: write the name of a context there");
    const context = lookUp(config, "contexts", current, chosen).field("context");
    const cluster = lookUp(config, "clusters", context.field("cluster")).field("cluster");
    const userName = context.field("user");
    const user = userName.absent ? userName : lookUp(config, "users", userName).field("user");
    refuseUnsupported(user);
    return {
      server: cluster.field("server").string(URL_MAX),
      serverName: cluster.field("tls-server-name").optionalString(TEXT_MAX) || undefined,
      insecure: cluster.field("insecure-skip-tls-verify").optionalBoolean() ?? false,
      ca: material(cluster, "certificate-authority"),
      cert: material(user, "client-certificate"),
      key: material(user, "client-key"),
      token: tokenOf(user),
    };
  });
}

function lookUp(config: JsonView, section: string, name: JsonView, wanted = name.string(TEXT_MAX)): JsonView {
  const entries = config.field(section).array(ENTRIES_MAX);
  const found = entries.find((entry) => entry.field("name").optionalString(TEXT_MAX) === wanted);
  return found ?? name.refuse(`"${wanted}" is not among the ${section}`);
}

function refuseUnsupported(user: JsonView): void {
  for (const field of ["exec", "auth-provider", "username"]) {
    const unsupported = user.field(field);
    if (!unsupported.absent) {
      unsupported.refuse("not supported on a node: use a token, a token file or a client certificate");
    }
  }
}

function material(parent: JsonView, field: string): Material | undefined {
  const data = parent.field(`${field}-data`);
  const encoded = data.optionalString(TEXT_MAX);
  if (encoded) {
    const text = /^[A-Za-z0-9+/=\s]+$/.test(encoded) ? Buffer.from(encoded, "base64").toString() : "";
    // "==" has the characters of base64 and says nothing.
    return text === "" ? data.refuse("not base64") : { from: "data", text };
  }
  const path = parent.field(field).optionalString(TEXT_MAX);
  return path ? { from: "file", path } : undefined;
}

function tokenOf(user: JsonView): Material | undefined {
  // client-go: the file wins, as it is the one that is rotated.
  const path = user.field("tokenFile").optionalString(TEXT_MAX);
  if (path) return { from: "file", path };
  const text = user.field("token").optionalString(TEXT_MAX);
  return text ? { from: "data", text } : undefined;
}
