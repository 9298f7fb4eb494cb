import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { EXIT } from "../../src/cli/exit-code.ts";
import { formatTable, printable } from "../../src/cli/table.ts";
import { type Config, OPTION_KEYS, type OptionKey, optionOf } from "../config/options.ts";
import type { LoadedConfig } from "../config.ts";
import type { Leftover } from "./cli-io.ts";
import {
  type CommandContext,
  cliDocument,
  loadSettings,
  print,
  settingsOrDefaults,
  socketPath,
} from "./command-context.ts";
import { formatCompletion, type Shell } from "./completion.ts";

/** @returns undefined after having said what is wrong */
async function settingsOrComplaint(context: CommandContext): Promise<LoadedConfig | number> {
  const loaded = await loadSettings(context);
  if (loaded.ok) return loaded.value;
  await context.io.err(loaded.error.map(({ message }) => `${printable(message)}\n`).join(""));
  return loaded.error.some((problem) => problem.kind === "usage") ? EXIT.usage.code : EXIT.config.code;
}

export async function run(context: CommandContext): Promise<number> {
  const loaded = await settingsOrComplaint(context);
  return typeof loaded === "number" ? loaded : context.commands.startAgent(loaded);
}

export async function viewConfig(context: CommandContext): Promise<number> {
  const loaded = await settingsOrComplaint(context);
  if (typeof loaded === "number") return loaded;
  await context.io.err(loaded.warnings.map((warning) => `${printable(warning)}\n`).join(""));
  const detailed = context.flags.get("origin") === "true";
  const settings = OPTION_KEYS.map((key) => describeSetting(loaded, key));
  await print(context, cliDocument("Config", { settings }), () => {
    if (!detailed)
      return formatTable(
        ["SETTING", "VALUE", "FROM"],
        settings.map(({ name, text, from }) => [name, text, from]),
      );
    const rows = settings.map(({ name, text, at, beat }) => [
      name,
      text,
      at,
      beat.map((b) => `${b.at}=${b.text}`).join(" "),
    ]);
    return formatTable(["SETTING", "VALUE", "FROM", "BEAT"], rows);
  });
  return EXIT.ok.code;
}

function describeSetting({ config, origins }: LoadedConfig, key: OptionKey) {
  const option = optionOf(key);
  const [winner, ...beaten] = origins[key];
  const text = option.type.format(config[key]);
  const beat = beaten.filter((candidate) => candidate.text !== "").map(({ at, text: value }) => ({ at, text: value }));
  return { name: option.name, value: documentValue(config, key), text, from: winner.kind, at: winner.at, beat };
}

/** For programs: booleans, numbers and lists as such. */
function documentValue(config: Config, key: OptionKey): unknown {
  const { type } = optionOf(key);
  const text = type.format(config[key]);
  if (type.switch || type.number) return config[key];
  if (type.list) return text === "" ? [] : text.split(",");
  return text === "" ? null : text;
}

export async function cleanUp(context: CommandContext): Promise<number> {
  const { io, commands, flags } = context;
  const dryRun = flags.get("dry-run") === "true";
  if (!dryRun) await refuseWhileAgentRuns(context);
  const { loaded, problems } = await settingsOrDefaults(context);
  await io.err(problems.map((problem) => `${printable(problem)} The defaults count here.\n`).join(""));
  const leftovers = await commands.findLeftovers(loaded.config);
  const items: CleanupItem[] = [];
  for (const leftover of leftovers) items.push(await (dryRun ? planned(leftover) : removed(leftover)));
  await print(context, cliDocument("CleanupReport", { dryRun, items }), () =>
    items.map((item) => formatItem(item, dryRun)).join(""),
  );
  if (items.length === 0) await io.err("There is nothing of the agent's here.\n");
  const failed = items.filter((item) => item.error !== null);
  await io.err(failed.map(({ what, error }) => `Cannot remove ${what}: ${error}\n`).join(""));
  return failed.length === 0 ? EXIT.ok.code : EXIT.failed.code;
}

interface CleanupItem {
  readonly what: string;
  readonly removed: boolean;
  readonly error: string | null;
  readonly neededBy: string | null;
}

async function planned({ what, neededBy }: Leftover): Promise<CleanupItem> {
  return { what, removed: false, error: null, neededBy: neededBy ?? null };
}

async function removed(leftover: Leftover): Promise<CleanupItem> {
  const item = await planned(leftover);
  try {
    await leftover.remove?.();
    return { ...item, removed: leftover.remove !== undefined };
  } catch (error) {
    return { ...item, error: errorText(error) };
  }
}

function formatItem({ what, error, neededBy }: CleanupItem, dryRun: boolean): string {
  if (neededBy !== null) return `${dryRun ? "would keep" : "kept"} ${what}: ${neededBy}\n`;
  return `${dryRun ? "would remove" : error === null ? "removed" : "left"} ${what}\n`;
}

async function refuseWhileAgentRuns(context: CommandContext): Promise<void> {
  try {
    await context.io.ask(await socketPath(context), "/v1/status", "Status");
  } catch (error) {
    if (errorCode(error) === "AGENT_UNREACHABLE") return;
    throw error;
  }
  throw new SelvedgeError("Cannot clean up while the agent runs: it would put everything back", {
    code: "CLEANUP_REFUSED",
    blame: "user",
    retry: "later",
    hint: 'Stop it first (systemctl stop selvedge), or look with "selvedge cleanup --dry-run".',
  });
}

export async function install({ io, commands, flags }: CommandContext): Promise<number> {
  const lines = await commands.install(flags.get("dry-run") === "true");
  await io.out(lines.map((line) => `${line}\n`).join(""));
  return EXIT.ok.code;
}

/** A configuration that cannot be read leaves the default place of charon's socket, which is our own charon's. */
export async function configureCharon(context: CommandContext): Promise<number> {
  const { loaded, problems } = await settingsOrDefaults(context);
  await context.io.err(problems.map((problem) => `${printable(problem)} The defaults count here.\n`).join(""));
  await context.io.out(`${await context.commands.configureCharon(loaded.config)}\n`);
  return EXIT.ok.code;
}

/** The runtime reads the answer from standard output, be it an error. */
export async function connectPod({ io, commands, env }: CommandContext): Promise<number> {
  const { exitCode, text } = await commands.cni(env);
  await io.out(text);
  return exitCode;
}

export async function join(context: CommandContext): Promise<number> {
  const { io, commands, flags, argument = "" } = context;
  const url = URL.parse(argument);
  if (url?.protocol !== "https:") throw unusable("URL", "the operator's address with https://", argument);
  const token = flags.get("token") ?? "";
  if (token === "") throw unusable("--token", "what selvedge-cloud token create printed", "none");
  const hash = flags.get("ca-cert-hash") ?? "none";
  const [, authorityHash] = /^sha256:([0-9a-fA-F]{64})$/.exec(hash) ?? [];
  if (authorityHash === undefined) throw unusable("--ca-cert-hash", "sha256: and 64 hexadecimal digits", hash);
  const folder = flags.get("tls-dir") ?? (await settingsOrDefaults(context)).loaded.config.tlsDir;
  const request = { url: url.origin, token, authorityHash: authorityHash.toLowerCase(), folder };
  const node = await commands.join(request);
  await io.out(`This is node ${node}. Key and certificate are in ${folder}.\n`);
  return EXIT.ok.code;
}

function unusable(what: string, wanted: string, value: string): SelvedgeError {
  return new SelvedgeError(`Cannot join as ${what} has to be ${wanted}: current value is ${value}`, {
    code: "JOIN_WORDS",
    blame: "user",
    retry: "never",
    hint: "selvedge-cloud token create NODE prints the whole line.",
  });
}

export async function showVersion(context: CommandContext): Promise<number> {
  const { version, platform } = context.commands;
  await print(context, cliDocument("Version", { version, platform }), () => `selvedge ${version} (${platform})\n`);
  return EXIT.ok.code;
}

export async function printCompletion({ io, argument }: CommandContext): Promise<number> {
  await io.out(formatCompletion(argument as Shell));
  return EXIT.ok.code;
}
