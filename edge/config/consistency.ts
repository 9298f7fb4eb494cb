import { parseIp } from "../../src/base/ip.ts";
import type { Config } from "./options.ts";
import { domainName } from "./value-type.ts";

export interface Finding {
  readonly kind: "usage" | "config" | "warning";
  readonly message: string;
}

/** Where each source listens unless told otherwise. The API server and the hub may be anywhere. */
const USUAL_ADDRESS: Readonly<Record<Config["source"], string | undefined>> = {
  metaserver: "http://127.0.0.1:10550",
  yurthub: "http://127.0.0.1:10261",
  "lite-apiserver": "https://127.0.0.1:51003",
  "api-server": undefined,
  hub: undefined,
};

/** @returns undefined when a kubeconfig says it, or a pod's environment */
export function sourceAddress(config: Config): string | undefined {
  const named = config.sourceUrl ?? (takesMetaServer(config) ? config.metaServer : undefined);
  if (named !== undefined) return named;
  return config.kubeconfig === undefined ? USUAL_ADDRESS[config.source] : undefined;
}

/** What besides the settings counts. */
export interface Circumstances {
  readonly nodeNameIsHostname: boolean;
  /** A pod is told where the API server is, and has a service account. */
  readonly inPod: boolean;
}

/** What can only be judged with several settings in sight. */
export function judgeTogether(config: Config, { nodeNameIsHostname, inPod }: Circumstances): readonly Finding[] {
  const findings: Finding[] = [];
  const refuse = (message: string) => findings.push({ kind: "config", message });
  const warn = (message: string) => findings.push({ kind: "warning", message });
  const url = sourceAddress(config);

  if (nodeNameIsHostname && !domainName.parse(config.nodeName).ok) {
    refuse(`Cannot take the host name as --node-name: current value is "${config.nodeName}".`);
  }
  if (url === undefined && config.kubeconfig === undefined && !(inPod && config.source === "api-server")) {
    refuse(`Cannot use --source=${config.source} without --source-url or --kubeconfig: both are unset.`);
  }
  if (config.metaServer !== undefined) {
    if (!takesMetaServer(config)) {
      warn(`Ignored --meta-server: --source is ${config.source}, whose address is --source-url.`);
    } else if (config.sourceUrl !== undefined && config.sourceUrl !== config.metaServer) {
      refuse(
        `Cannot use --meta-server beside another --source-url: current values are "${config.metaServer}" and "${config.sourceUrl}".`,
      );
    }
  }
  if ((config.clientCertFile === undefined) !== (config.clientKeyFile === undefined)) {
    const lacking = config.clientCertFile === undefined ? "--client-cert-file" : "--client-key-file";
    refuse(`Cannot use a client certificate without its other half: ${lacking} is unset.`);
  }
  if (config.insecureSkipTlsVerify && config.caFile !== undefined) {
    refuse("Cannot use --ca-file together with --insecure-skip-tls-verify: one of them has to go.");
  } else if (config.insecureSkipTlsVerify) {
    warn("The source's certificate is not verified: whoever sits on the path can redirect every service.");
  }
  if (config.tokenFile !== undefined && url?.startsWith("http:") && !isLoopback(new URL(url).hostname)) {
    warn(`The token of --token-file goes to ${url} in clear.`);
  }
  if (!isLoopback(config.httpBind.address)) {
    warn(`Anybody who reaches ${config.httpBind.address} can read /metrics and /statusz: they ask for no password.`);
  }
  if (config.enableDns && config.dnsBindIp.length === 0) {
    refuse("Cannot answer DNS queries without an address: --dns-bind-ip is empty.");
  }
  return findings;
}

function takesMetaServer(config: Config): boolean {
  return config.source === "metaserver" || config.source === "hub";
}

function isLoopback(host: string): boolean {
  const ip = parseIp(host.replace(/^\[|\]$/g, ""));
  return ip.ok ? ip.value === "::1" || ip.value.startsWith("127.") : host === "localhost";
}
