import type { SourceConfig } from "../../src/kube/source.ts";
import type { Config } from "../config/options.ts";

/** The settings of the source, as the list–watch client takes them. */
export function sourceConfig(config: Config): SourceConfig {
  if (config.source === "api-server") return { kind: "api-server", kubeconfig: config.kubeconfig };
  return {
    kind: config.source,
    url: config.sourceUrl ?? config.metaServer,
    caFile: config.caFile,
    certFile: config.clientCertFile,
    keyFile: config.clientKeyFile,
    tokenFile: config.tokenFile,
    serverName: undefined,
    insecure: config.insecureSkipTlsVerify,
  };
}
