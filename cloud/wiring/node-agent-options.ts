import type { LogLevel } from "../../src/base/log.ts";
import { ok, type Result } from "../../src/base/result.ts";
import { type ListenAddress, type OptionError, readOptions } from "../operator/option-values.ts";

/** What `selvedge-cloud node-agent` is told. */
export type NodeAgentCommand =
  | { readonly kind: "run"; readonly options: NodeAgentSettings }
  /** Take everything back that is in the kernel, or only say what that would be. */
  | { readonly kind: "cleanup"; readonly dryRun: boolean };

export interface NodeAgentSettings {
  readonly namespace: string;
  readonly node: string;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly listen: ListenAddress;
  readonly logLevel: LogLevel;
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];
/** Of the Kubernetes node, where the chart tells it. */
const NODE_NAME = "NODE_NAME";

const DEFAULTS = {
  namespace: "fabedge",
  kubeconfig: "",
  "http-bind": "127.0.0.1:8083",
  "log-level": "info",
} as const;

/**
 * @param words the arguments after "node-agent"
 * @param environment NODE_NAME is the node's name unless an argument says it
 */
export function parseNodeAgentCommand(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<NodeAgentCommand, OptionError> {
  if (words[0] === "cleanup") {
    return readOptions("node-agent cleanup", words.slice(1), { "dry-run": "false" }, (values) => ({
      kind: "cleanup",
      dryRun: values.yes("dry-run"),
    }));
  }
  const defaults = { ...DEFAULTS, "node-name": environment[NODE_NAME] || undefined };
  const options = readOptions("node-agent", words, defaults, (values) => ({
    namespace: values.name("namespace"),
    node: values.name("node-name"),
    kubeconfig: values.text("kubeconfig") || undefined,
    listen: values.listen("http-bind"),
    logLevel: values.oneOf("log-level", LOG_LEVELS),
  }));
  return options.ok ? ok({ kind: "run", options: options.value }) : options;
}
