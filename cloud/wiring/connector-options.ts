import type { LogLevel } from "../../src/base/log.ts";
import type { Result } from "../../src/base/result.ts";
import { type ListenAddress, type OptionError, readOptions } from "../operator/option-values.ts";

/** What `selvedge-cloud connector` is told. */
export interface ConnectorOptions {
  readonly namespace: string;
  readonly node: string;
  readonly calico: boolean;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly viciSocket: string;
  readonly stateDir: string;
  readonly listen: ListenAddress;
  readonly logLevel: LogLevel;
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];
/** Of the Kubernetes node, where the chart tells it. */
const NODE_NAME = "NODE_NAME";

const DEFAULTS = {
  namespace: "fabedge",
  "node-name": "",
  "cni-type": "flannel",
  kubeconfig: "",
  "vici-socket": "/run/selvedge/charon/charon.vici",
  "state-dir": "/run/selvedge-connector/state",
  "http-bind": "127.0.0.1:8082",
  "log-level": "info",
} as const;

/**
 * @param words the arguments after "connector"
 * @param environment NODE_NAME is the node's name unless an argument says it
 */
export function parseConnectorOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<ConnectorOptions, OptionError> {
  return readOptions(
    "connector",
    words,
    { ...DEFAULTS, "node-name": environment[NODE_NAME] || undefined },
    (values) => ({
      namespace: values.name("namespace"),
      node: values.name("node-name"),
      calico: values.oneOf("cni-type", ["flannel", "calico"]) === "calico",
      kubeconfig: values.text("kubeconfig") || undefined,
      viciSocket: values.text("vici-socket"),
      stateDir: values.text("state-dir"),
      listen: values.listen("http-bind"),
      logLevel: values.oneOf("log-level", LOG_LEVELS),
    }),
  );
}
