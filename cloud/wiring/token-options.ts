import { type Duration, hours, milliseconds } from "../../src/base/duration.ts";
import { fail, type Result } from "../../src/base/result.ts";
import { isNodeName, TOKEN_LIFE } from "../join/join-token.ts";
import { type OptionError, readOptions } from "../operator/option-values.ts";

/** What `selvedge-cloud token` is told. */
export interface TokenCommand {
  readonly verb: "create" | "list" | "delete";
  /** Empty with list. */
  readonly node: string;
  readonly life: Duration;
  /** Where nodes reach the operator; empty: to be found. */
  readonly server: string;
  readonly namespace: string;
  readonly authoritySecret: string;
  /** Empty: to be found. */
  readonly kubeconfig: string;
  /** A hub's, in place of a cluster; empty: none. */
  readonly stateDir: string;
  readonly json: boolean;
}

const VERBS = ["create", "list", "delete"] as const;
/** Whoever needs a year should make a token again. */
const LIFE_MAX = hours(24 * 365);

const DEFAULTS = {
  expires: `${TOKEN_LIFE / hours(1)}h`,
  server: "",
  namespace: "fabedge",
  "ca-secret": "fabedge-ca",
  kubeconfig: "",
  "state-dir": "",
  output: "text",
} as const;

/** @param words the arguments after "token" */
export function parseTokenCommand(words: readonly string[]): Result<TokenCommand, OptionError> {
  const [first = "", ...rest] = words;
  const verb = VERBS.find((known) => known === first);
  if (verb === undefined) return usage(`token needs ${VERBS.join(", ")}: current value is "${first}"`);
  const [node = "", ...options] = verb === "list" ? ["", ...rest] : rest;
  if (verb !== "list" && !isNodeName(node))
    return usage(`token ${verb} needs a node's name: current value is "${node}"`);
  const long = options.map((word) => (word === "-o" ? "--output" : word === "-n" ? "--namespace" : word));
  return readOptions(`token ${verb}`, long, DEFAULTS, (values) => {
    const life = values.duration("expires");
    if (life <= 0 || life > LIFE_MAX) values.refuse("expires", "from a minute to a year", values.text("expires"));
    const server = values.text("server");
    if (server !== "" && URL.parse(server)?.protocol !== "https:") {
      values.refuse("server", "the operator's address with https://", server);
    }
    return {
      verb,
      node,
      life: milliseconds(life),
      server: server === "" ? "" : new URL(server).origin,
      namespace: values.name("namespace"),
      authoritySecret: values.name("ca-secret"),
      kubeconfig: values.text("kubeconfig"),
      stateDir: values.text("state-dir"),
      json: values.oneOf("output", ["text", "json"]) === "json",
    };
  });
}

function usage(message: string): Result<never, OptionError> {
  return fail({ kind: "usage", message });
}
