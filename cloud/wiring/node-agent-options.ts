import { ok, type Result } from "../../src/base/result.ts";
import { type OptionError, readOptions } from "../operator/option-values.ts";
import { type NodeProgramOptions, nodeProgramDefaults, readNodeProgramOptions } from "./node-program-options.ts";

/** What `selvedge-cloud node-agent` is told. */
export type NodeAgentCommand =
  | { readonly kind: "run"; readonly options: NodeProgramOptions }
  /** Take everything back that is in the kernel, or only say what that would be. */
  | { readonly kind: "cleanup"; readonly dryRun: boolean };

const HTTP_BIND = "127.0.0.1:8083";

/** @param words the arguments after "node-agent" */
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
  const defaults = nodeProgramDefaults(HTTP_BIND, environment);
  const options = readOptions("node-agent", words, defaults, readNodeProgramOptions);
  return options.ok ? ok({ kind: "run", options: options.value }) : options;
}
