import type { Result } from "../../src/base/result.ts";
import { CHARON_SOCKET } from "../../src/strongswan/charon-folder.ts";
import { type OptionError, readOptions } from "../operator/option-values.ts";
import { type NodeProgramOptions, nodeProgramDefaults, readNodeProgramOptions } from "./node-program-options.ts";

/** What `selvedge-cloud connector` is told. */
export interface ConnectorOptions extends NodeProgramOptions {
  readonly calico: boolean;
  readonly viciSocket: string;
  readonly stateDir: string;
}

const HTTP_BIND = "127.0.0.1:8082";
const DEFAULTS = {
  "cni-type": "flannel",
  "vici-socket": CHARON_SOCKET,
  "state-dir": "/run/selvedge-connector/state",
} as const;

/** @param words the arguments after "connector" */
export function parseConnectorOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<ConnectorOptions, OptionError> {
  const defaults = { ...DEFAULTS, ...nodeProgramDefaults(HTTP_BIND, environment) };
  return readOptions("connector", words, defaults, (values) => ({
    ...readNodeProgramOptions(values),
    calico: values.oneOf("cni-type", ["flannel", "calico"]) === "calico",
    viciSocket: values.text("vici-socket"),
    stateDir: values.text("state-dir"),
  }));
}
