import { dirname, resolve } from "node:path";
import { errorText, SelvedgeError } from "../base/errors.ts";
import type { Credentials, KubeEndpoint } from "./client.ts";
import { type KubeconfigContext, type Material, parseKubeconfig } from "./kubeconfig.ts";

/** Files, as an argument. Throws when there is no such file. */
export type ReadText = (path: string) => Promise<string>;

/** What a person configures. What is named here goes before what a kubeconfig or a service account says. */
export interface SourceConfig {
  readonly url: string | undefined;
  readonly kubeconfig: string | undefined;
  /** Of the kubeconfig; unless told, its current one. */
  readonly context?: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly tokenFile: string | undefined;
  /** Believe any certificate. */
  readonly insecure: boolean;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds out where to ask and with which credentials: a kubeconfig's, or, with neither a kubeconfig nor an address, those
 * that a pod finds in its file system. Throws a SelvedgeError (SOURCE_CONFIG) for a configuration that cannot work;
 * missing credential files are met at each request, since they may come later.
 */
export async function openSource(
  config: SourceConfig,
  environment: Readonly<Record<string, string | undefined>>,
  readText: ReadText,
): Promise<KubeEndpoint> {
  const base = await baseOf(config, environment, readText);
  const url = checkedUrl(config.url ?? base.server, config.kubeconfig ?? "the source");
  const file = (path: string | undefined): Material | undefined =>
    path === undefined ? undefined : { from: "file", path };
  // A certificate and its key are one thing: halves of two would never fit.
  const { cert, key } =
    config.certFile === undefined
      ? { cert: base.cert, key: base.key }
      : { cert: file(config.certFile), key: file(config.keyFile) };
  return endpoint(
    url,
    {
      ca: file(config.caFile) ?? base.ca,
      cert,
      key,
      token: file(config.tokenFile) ?? base.token,
      serverName: base.serverName,
      insecure: config.insecure || base.insecure === true,
    },
    readText,
  );
}

async function baseOf(
  { url, kubeconfig, context }: SourceConfig,
  environment: Readonly<Record<string, string | undefined>>,
  readText: ReadText,
): Promise<Partial<KubeconfigContext>> {
  if (kubeconfig !== undefined) return await kubeconfigContext(kubeconfig, context, readText);
  return url === undefined ? inClusterContext(environment) : {};
}

async function kubeconfigContext(
  path: string,
  named: string | undefined,
  readText: ReadText,
): Promise<KubeconfigContext> {
  const document = await readText(path)
    .then((text) => Bun.YAML.parse(text))
    .catch((cause) => {
      throw configError(
        `Cannot read kubeconfig ${path} as YAML`,
        `Check that the file exists and is YAML${unseen(path)}.`,
        cause,
      );
    });
  const context = parseKubeconfig(document, named);
  if (!context.ok) {
    const { at, why } = context.error;
    throw configError(`Cannot use kubeconfig ${path} as ${at} is wrong: ${why}`, "Correct the kubeconfig.");
  }
  const base = dirname(resolve(path));
  const placed = (m: Material | undefined): Material | undefined =>
    m?.from === "file" ? { from: "file", path: resolve(base, m.path) } : m;
  const { ca, cert, key, token } = context.value;
  return { ...context.value, ca: placed(ca), cert: placed(cert), key: placed(key), token: placed(token) };
}

function inClusterContext(environment: Readonly<Record<string, string | undefined>>): Partial<KubeconfigContext> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host) {
    throw configError(
      "Cannot find the source as neither an address, nor a kubeconfig, nor KUBERNETES_SERVICE_HOST is given",
      "Name an address or a kubeconfig, or run in a pod with a service account.",
    );
  }
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port || "443"}`,
    ca: { from: "file", path: `${SERVICE_ACCOUNT}/ca.crt` },
    token: { from: "file", path: `${SERVICE_ACCOUNT}/token` },
  };
}

/** ProtectHome= of the agent's unit: a person who looks finds the file there. */
function unseen(path: string): string {
  return /^\/(?:home|root|run\/user)\//.test(path)
    ? ": the agent's service sees nothing under /home, /root and /run/user"
    : "";
}

type Materials = Omit<KubeconfigContext, "server">;

function endpoint(url: string, materials: Materials, readText: ReadText): KubeEndpoint {
  const read = async (material: Material | undefined): Promise<string | undefined> => {
    if (material === undefined) return undefined;
    if (material.from === "data") return material.text;
    return await readText(material.path).catch((cause) => {
      throw new SelvedgeError(`Cannot read credentials from ${material.path}: ${errorText(cause)}`, {
        code: "KUBE_CREDENTIALS",
        blame: "user",
        retry: "later",
        hint: `Check that the file exists and that the agent may read it${unseen(material.path)}; it is read again before each request.`,
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
