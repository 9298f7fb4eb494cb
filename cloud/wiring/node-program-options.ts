import type { LogLevel } from "../../src/base/log.ts";
import type { ListenAddress, OptionDefaults, OptionValues } from "../operator/option-values.ts";

/** What each program that keeps the network of a cloud node is told. */
export interface NodeProgramOptions {
  readonly namespace: string;
  /** The Kubernetes node's name. */
  readonly node: string;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly listen: ListenAddress;
  readonly logLevel: LogLevel;
}

type Name = "namespace" | "node-name" | "kubeconfig" | "http-bind" | "log-level";

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];
/** Of the Kubernetes node, where the chart tells it. */
const NODE_NAME = "NODE_NAME";

/**
 * @param httpBind where it answers unless an argument says it
 * @param environment NODE_NAME is the node's name unless an argument says it
 */
export function nodeProgramDefaults(
  httpBind: string,
  environment: Readonly<Record<string, string | undefined>>,
): OptionDefaults<Name> {
  const node = environment[NODE_NAME] || undefined;
  return { namespace: "fabedge", "node-name": node, kubeconfig: "", "http-bind": httpBind, "log-level": "info" };
}

export function readNodeProgramOptions(values: OptionValues<Name>): NodeProgramOptions {
  return {
    namespace: values.name("namespace"),
    node: values.name("node-name"),
    kubeconfig: values.text("kubeconfig") || undefined,
    listen: values.listen("http-bind"),
    logLevel: values.oneOf("log-level", LOG_LEVELS),
  };
}
