import type { SourceConfig } from "../../src/kube/source.ts";
import type { Config } from "../config/options.ts";

/** The settings of the source, as the list–watch client takes them. */
export function sourceConfig(config: Config): SourceConfig {
  return {
    url: config.sourceUrl,
    kubeconfig: config.kubeconfig,
    caFile: config.caFile,
    certFile: config.clientCertFile,
    keyFile: config.clientKeyFile,
    tokenFile: config.tokenFile,
    insecure: config.insecureSkipTlsVerify,
  };
}
