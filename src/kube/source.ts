import { dirname, resolve } from "node:path";
import { SelvedgeError } from "../base/errors.ts";
import type { Credentials, KubeEndpoint } from "./client.ts";
import { type Material, parseKubeconfig } from "./kubeconfig.ts";
import type { SourceKind } from "./trust.ts";

/** Files, as an argument. Throws when there is no such file. */
export type ReadText = (path: string) => Promise<string>;

/** What a person configures. */
export type SourceConfig =
  | {
      readonly kind: "metaserver" | "yurthub" | "lite-apiserver" | "hub";
      /** Undefined: the default of DEFAULT_URLS; a hub has none. */
      readonly url: string | undefined;
      readonly caFile: string | undefined;
      readonly certFile: string | undefined;
      readonly keyFile: string | undefined;
      readonly tokenFile: string | undefined;
      /** The name in the server's certificate, where it is not the address. */
      readonly serverName: string | undefined;
      /** Believe any certificate. */
      readonly insecure: boolean;
    }
  /** A kubeconfig file, or the service account that a pod finds in its file system. */
  | { readonly kind: "api-server"; readonly kubeconfig: string | undefined };

/** Where each source listens on a node unless told otherwise. */
export const DEFAULT_URLS: Readonly<Partial<Record<SourceKind, string>>> = {
  metaserver: "http://127.0.0.1:10550",
  yurthub: "http://127.0.0.1:10261",
  "lite-apiserver": "https://127.0.0.1:51003",
};

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds out where to ask and with which credentials. Throws a SelvedgeError (SOURCE_CONFIG) for a configuration that
 * cannot work; missing credential files are met at each request, since they may come later.
 */
export async function openSource(
  config: SourceConfig,
  environment: Readonly<Record<string, string | undefined>>,
  readText: ReadText,
): Promise<KubeEndpoint> {
  if (config.kind !== "api-server") return plainSource(config, readText);
  if (config.kubeconfig !== undefined) return await kubeconfigSource(config.kubeconfig, readText);
  return inClusterSource(environment, readText);
}

function plainSource(config: Exclude<SourceConfig, { kind: "api-server" }>, readText: ReadText): KubeEndpoint {
  const url = checkedUrl(config.url ?? DEFAULT_URLS[config.kind], `the ${config.kind} source`);
  const file = (path: string | undefined): Material | undefined =>
    path === undefined ? undefined : { from: "file", path };
  return endpoint(
    url,
    {
      ca: file(config.caFile),
      cert: file(config.certFile),
      key: file(config.keyFile),
      token: file(config.tokenFile),
      serverName: config.serverName,
      insecure: config.insecure,
    },
    readText,
  );
}

async function kubeconfigSource(path: string, readText: ReadText): Promise<KubeEndpoint> {
  const document = await readText(path)
    .then((text) => Bun.YAML.parse(text))
    .catch((cause) => {
      throw configError(`Cannot read kubeconfig ${path} as YAML`, "Check that the file exists and is YAML.", cause);
    });
  const context = parseKubeconfig(document);
  if (!context.ok) {
    const { at, why } = context.error;
    throw configError(`Cannot use kubeconfig ${path} as ${at} is wrong: ${why}`, "Correct the kubeconfig.");
  }
  const base = dirname(resolve(path));
  const placed = (m: Material | undefined): Material | undefined =>
    m?.from === "file" ? { from: "file", path: resolve(base, m.path) } : m;
  const { ca, cert, key, token } = context.value;
  return endpoint(
    checkedUrl(context.value.server, `kubeconfig ${path}`),
    { ...context.value, ca: placed(ca), cert: placed(cert), key: placed(key), token: placed(token) },
    readText,
  );
}

function inClusterSource(environment: Readonly<Record<string, string | undefined>>, readText: ReadText): KubeEndpoint {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host) {
    throw configError(
      "Cannot find the API server as neither a kubeconfig nor KUBERNETES_SERVICE_HOST is given",
      "Name a kubeconfig, or run in a pod with a service account.",
    );
  }
  const authority = host.includes(":") ? `[${host}]` : host;
  return endpoint(
    checkedUrl(`https://${authority}:${port || "443"}`, "KUBERNETES_SERVICE_HOST"),
    {
      ca: { from: "file", path: `${SERVICE_ACCOUNT}/ca.crt` },
      cert: undefined,
      key: undefined,
      token: { from: "file", path: `${SERVICE_ACCOUNT}/token` },
      serverName: undefined,
      insecure: false,
    },
    readText,
  );
}

interface Materials {
  readonly ca: Material | undefined;
  readonly cert: Material | undefined;
  readonly key: Material | undefined;
  readonly token: Material | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

function endpoint(url: string, materials: Materials, readText: ReadText): KubeEndpoint {
  const read = async (material: Material | undefined): Promise<string | undefined> => {
    if (material === undefined) return undefined;
    if (material.from === "data") return material.text;
    return await readText(material.path).catch((cause) => {
      throw new SelvedgeError(`Cannot read credentials from ${material.path}`, {
        code: "KUBE_CREDENTIALS",
        blame: "user",
        retry: "later",
        hint: "Check that the file exists and that the agent may read it; it is read again before each request.",
        cause,
      });
    });
  };
  const credentials = async (): Promise<Credentials> => {
    const token = (await read(materials.token))?.trim();
    if (!url.startsWith("https:")) return { token, tls: undefined };
    const [ca, cert, key] = await Promise.all([read(materials.ca), read(materials.cert), read(materials.key)]);
    const { serverName, insecure } = materials;
    return {
      token,
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(serverName === undefined ? {} : { serverName }),
        insecure,
      },
    };
  };
  return { url, credentials };
}

function checkedUrl(text: string | undefined, where: string): string {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.search !== "") {
    throw configError(
      `Cannot use the address of ${where} as it is not an http or https address: current value is ${text ?? "missing"}`,
      'Write it like "http://127.0.0.1:10550".',
    );
  }
  return url.href.replace(/\/+$/, "");
}

function configError(message: string, hint: string, cause?: unknown): SelvedgeError {
  return new SelvedgeError(message, { code: "SOURCE_CONFIG", blame: "user", retry: "never", hint, cause });
}
