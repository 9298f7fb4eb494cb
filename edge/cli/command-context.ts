import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";
import { formatDocument } from "../../src/cli/document-text.ts";
import { coloured, type Paint, plain } from "../../src/cli/table.ts";
import { API_VERSION, CONTROL_SOCKET } from "../../src/network/agent-report.ts";
import { cloudSettingsPlace } from "../config/cloud-settings-place.ts";
import { OPTIONS } from "../config/options.ts";
import { type ConfigProblem, configFilePath, type LoadedConfig, loadConfig } from "../config.ts";
import type { CliCommands, CliIo, Environment } from "./cli-io.ts";

/** One invocation with everything that it may touch. */
export interface CommandContext {
  readonly io: CliIo;
  readonly env: Environment;
  readonly commands: CliCommands;
  readonly flags: ReadonlyMap<string, string>;
  readonly argument: string | undefined;
  /** Flags that are the agent's settings. */
  readonly settings: readonly string[];
}

/** https://no-color.org: any text in NO_COLOR means none. */
export function paintFor({ io, env, flags }: CommandContext): Paint {
  const { NO_COLOR, TERM } = env;
  return io.terminal.out && flags.get("no-color") !== "true" && !NO_COLOR && TERM !== "dumb" ? coloured : plain;
}

/** Data on stdout: a document for programs, or what `table` makes for people. */
export async function print(context: CommandContext, document: object, table: () => string): Promise<void> {
  await context.io.out(formatDocument(context.flags.get("output"), document, table));
}

/** For what only the command line says; the agent's own documents come with theirs. */
export function cliDocument(kind: string, body: object): object {
  return { apiVersion: API_VERSION, kind, ...body };
}

/** @throws SelvedgeError when the file is there and cannot be read */
export async function loadSettings(context: CommandContext): Promise<Result<LoadedConfig, readonly ConfigProblem[]>> {
  const { io, env } = context;
  const named = context.flags.get("config");
  const argv = named === undefined ? context.settings : [...context.settings, `--config=${named}`];
  const { path, required } = configFilePath(argv, env);
  const text = await io.readFile(path);
  if (text === undefined && required) {
    return fail([{ kind: "config", message: `Cannot read the configuration at ${path}: there is no such file.` }]);
  }
  const local = loadConfig({ argv, env, file: text === undefined ? undefined : { path, text }, host: io.host });
  return local.ok ? ok(await addCloud(io, local.value)) : local;
}

/** Whatever is wrong with what the cloud says, a node starts without it. */
async function addCloud(io: CliIo, local: LoadedConfig): Promise<LoadedConfig> {
  const place = cloudSettingsPlace(local.config);
  if (place === undefined) return local;
  const without = (why: string) => ({ ...local, warnings: [...local.warnings, `Ignored ${place.from}: ${why}`] });
  let text: string | undefined;
  try {
    text = await io.readFile(place.file);
  } catch (error) {
    return without(`${errorText(error)}.`);
  }
  if (text === undefined) return local;
  const both = loadConfig({ ...local.sources, cloud: { path: place.from, text } });
  return both.ok ? both.value : without(both.error.map(({ message }) => message).join(" "));
}

export interface Settings {
  readonly loaded: LoadedConfig;
  /** Why these are the defaults and not what was configured. */
  readonly problems: readonly string[];
}

/** For commands that have to work also when the configuration does not. */
export async function settingsOrDefaults(context: CommandContext): Promise<Settings> {
  const tried = await loadSettings(context).then(
    (loaded) => (loaded.ok ? loaded : fail(loaded.error.map((problem) => problem.message))),
    (error) => fail([errorText(error)]),
  );
  if (tried.ok) return { loaded: tried.value, problems: [] };
  const defaults = loadConfig({
    argv: [`--${OPTIONS.nodeName.name}=unknown`],
    env: {},
    file: undefined,
    host: context.io.host,
  });
  if (!defaults.ok) throw new Error("Cannot load the defaults");
  return { loaded: defaults.value, problems: tried.error };
}

/** Where the agent answers: by flag, or as it is configured, or, when that cannot be read, at the usual place. */
export async function socketPath(context: CommandContext): Promise<string> {
  const named = context.flags.get("run-dir");
  if (named !== undefined) return `${named}/${CONTROL_SOCKET}`;
  const { loaded, problems } = await settingsOrDefaults(context);
  if (problems.length > 0 && context.flags.has("config")) {
    throw new SelvedgeError(problems.join("\n"), { code: "CONFIG_UNREADABLE", blame: "user", retry: "never" });
  }
  return `${loaded.config.runDir}/${CONTROL_SOCKET}`;
}
