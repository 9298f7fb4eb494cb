import { nearestName } from "../src/base/nearest-name.ts";
import { fail, ok, type Result } from "../src/base/result.ts";
import { type Argument, readArguments } from "./config/arguments.ts";
import { type Finding, judgeTogether, sourceAddress } from "./config/consistency.ts";
import { FABEDGE_ARGUMENTS } from "./config/fabedge-arguments.ts";
import {
  type Config,
  environmentName,
  type HostFacts,
  OPTION_KEYS,
  OPTIONS,
  type Option,
  type OptionKey,
  optionKeyOfName,
  optionOf,
} from "./config/options.ts";
import { parseSettingsFile, type SettingsFile } from "./config/settings-file.ts";
import { MAX_SETTING_LENGTH } from "./config/value-type.ts";

export interface ConfigSources {
  /** What stands after "run". */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined when there is none. */
  readonly file: SettingsFile | undefined;
  /** What the cloud says; undefined where it says nothing. */
  readonly cloud?: SettingsFile | undefined;
  readonly host: HostFacts;
}

export type OriginKind = "flag" | "environment" | "file" | "cloud" | "default";

/** A value that was offered for a setting. */
export interface Candidate {
  readonly kind: OriginKind;
  /** "--enable-dns", "SELVEDGE_ENABLE_DNS", "/etc/selvedge/config.yaml", "ConfigMap fabedge/…", "default". */
  readonly at: string;
  readonly text: string;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly sources: ConfigSources;
  /** For each setting, what was offered: the winner first, then what it beat. */
  readonly origins: Readonly<Record<OptionKey, readonly [Candidate, ...Candidate[]]>>;
  /** Sentences for a person; none stops the program. */
  readonly warnings: readonly string[];
}

export interface ConfigProblem {
  /** usage: the command line is not one; config: a setting cannot be used. */
  readonly kind: "usage" | "config";
  readonly message: string;
}

const KEYS_BY_ENVIRONMENT: ReadonlyMap<string, OptionKey> = new Map(
  OPTION_KEYS.map((key) => [environmentName(optionOf(key)), key]),
);

/** The file to read before `loadConfig`: flag, then environment, then the default, which need not exist. */
export function configFilePath(
  argv: readonly string[],
  env: ConfigSources["env"],
): { readonly path: string; readonly required: boolean } {
  const flag = readArguments(argv).settings.findLast((argument) => argument.name === "config")?.text;
  const named = flag ?? (env[environmentName(OPTIONS.config)] || undefined);
  if (named !== undefined) return { path: named, required: true };
  return { path: OPTIONS.config.fallback({ hostname: "" }), required: false };
}

/** Every setting: flag before environment before file before cloud before default. All problems are reported, not only the first. */
export function loadConfig(sources: ConfigSources): Result<LoadedConfig, readonly ConfigProblem[]> {
  const findings: Finding[] = [];
  const offers = collectOffers(sources, findings);
  const values: Partial<Record<OptionKey, unknown>> = {};
  const origins: Partial<Record<OptionKey, readonly [Candidate, ...Candidate[]]>> = {};
  for (const key of OPTION_KEYS) {
    const option = optionOf(key);
    const [winner, ...beaten] = offers.get(key) ?? [];
    const fallback = option.fallback(sources.host);
    const byDefault: Candidate = { kind: "default", at: "default", text: option.type.format(fallback) };
    const value = winner === undefined ? fallback : parseOffer(option, winner, findings);
    values[key] = value;
    origins[key] = winner === undefined ? [byDefault] : [winner, ...beaten, byDefault];
  }
  const problems = findings.filter((finding) => finding.kind !== "warning");
  if (problems.length === 0) {
    const config = values as Config;
    const judged = judgeTogether(config, {
      nodeNameIsHostname: origins.nodeName?.[0].kind === "default",
      inPod: Boolean(sources.env["KUBERNETES_SERVICE_HOST"]),
    });
    findings.push(...judged);
    const late = judged.filter((finding) => finding.kind !== "warning");
    if (late.length === 0) {
      return ok({
        config: { ...config, sourceUrl: sourceAddress(config) },
        sources,
        origins: origins as LoadedConfig["origins"],
        warnings: findings.map((finding) => finding.message),
      });
    }
    problems.push(...late);
  }
  return fail(problems.map(({ kind, message }) => ({ kind: kind === "usage" ? "usage" : "config", message })));
}

function collectOffers(sources: ConfigSources, findings: Finding[]): ReadonlyMap<OptionKey, readonly Candidate[]> {
  const offers = new Map<OptionKey, Candidate[]>();
  const offer = (key: OptionKey, candidate: Candidate) => {
    const before = offers.get(key);
    if (before === undefined) offers.set(key, [candidate]);
    else before.push(candidate);
  };

  const { settings, strays } = readArguments(sources.argv);
  for (const stray of strays) {
    findings.push({
      kind: "usage",
      message: `Cannot take an argument that is no setting: current value is "${shorten(stray)}".`,
    });
  }
  for (const [name, given] of groupByName(settings)) {
    const key = optionKeyOfName(name);
    if (key === undefined) findings.push(unknownSetting(`--${name}`, name));
    else offerFlag(key, given, offer, findings);
  }

  for (const [name, text] of Object.entries(sources.env)) {
    if (!name.startsWith("SELVEDGE_") || text === undefined || text === "") continue;
    const key = KEYS_BY_ENVIRONMENT.get(name);
    if (key !== undefined) offer(key, { kind: "environment", at: name, text });
    else findings.push(unknownSetting(name, name.slice("SELVEDGE_".length).toLowerCase().replaceAll("_", "-")));
  }

  if (sources.file !== undefined) offerFile("file", sources.file, offer, findings);
  if (sources.cloud !== undefined) offerFile("cloud", sources.cloud, offer, findings);
  return offers;
}

function offerFile(
  kind: "file" | "cloud",
  file: SettingsFile,
  offer: (key: OptionKey, candidate: Candidate) => void,
  findings: Finding[],
): void {
  const { path } = file;
  const read = parseSettingsFile(file);
  findings.push(...read.findings);
  const ignore = (name: string, why: string) =>
    findings.push({ kind: "warning", message: `Ignored "${name}" of ${path}: ${why}.` });
  for (const [name, text] of read.settings) {
    const key = optionKeyOfName(name);
    if (key === undefined) findings.push(unknownSetting(`"${shorten(name)}" of ${path}`, name));
    else if (kind === "cloud" && optionOf(key).localOnly) ignore(name, "only the node itself decides it");
    else if (optionOf(key).notInFile) ignore(name, "a file cannot name itself");
    else offer(key, { kind, at: path, text });
  }
}

function offerFlag(
  key: OptionKey,
  given: readonly Argument[],
  offer: (key: OptionKey, candidate: Candidate) => void,
  findings: Finding[],
): void {
  const option = optionOf(key);
  const texts = given.flatMap((argument) => (argument.text === undefined ? [] : [argument.text]));
  if (texts.length < given.length) {
    findings.push({
      kind: "usage",
      message: `Cannot use --${option.name} as a value has to follow it: ${option.type.placeholder}.`,
    });
    return;
  }
  const text = option.type.list ? texts.join(",") : texts.at(-1);
  offer(key, { kind: "flag", at: `--${option.name}`, text: text ?? "" });
}

function parseOffer(option: Option<unknown>, offer: Candidate, findings: Finding[]): unknown {
  const old = Object.hasOwn(option.oldValues ?? {}, offer.text) ? option.oldValues?.[offer.text] : undefined;
  if (old !== undefined) {
    const message = `Took ${offer.at} "${offer.text}" as "${old.meaning}": ${old.why}.`;
    findings.push({ kind: "warning", message });
  }
  const name = offer.kind === "file" || offer.kind === "cloud" ? `"${option.name}" of ${offer.at}` : offer.at;
  const read =
    offer.text.length > MAX_SETTING_LENGTH
      ? fail(`at most ${MAX_SETTING_LENGTH} characters`)
      : option.type.parse(old?.meaning ?? offer.text);
  if (read.ok) return read.value;
  const message = `Cannot use ${name} as it takes ${read.error}: current value is "${shorten(hidePassword(offer.text))}".`;
  findings.push({ kind: "config", message });
  return undefined;
}

/** Never shows the value: the argument may be a token of another program. */
function unknownSetting(shown: string, name: string): Finding {
  const why = Object.hasOwn(FABEDGE_ARGUMENTS, name) ? FABEDGE_ARGUMENTS[name] : undefined;
  if (why !== undefined) return { kind: "warning", message: `Ignored ${shown}: ${why}.` };
  const near = nearestName(
    name,
    OPTION_KEYS.map((key) => optionOf(key).name),
  );
  const suggestion = near === undefined ? "" : ` Did you mean "${near}"?`;
  return { kind: "warning", message: `Ignored ${shown}: there is no such setting.${suggestion}` };
}

function groupByName(settings: readonly Argument[]): ReadonlyMap<string, readonly Argument[]> {
  return Map.groupBy(settings, (argument) => argument.name);
}

function hidePassword(text: string): string {
  return text.replace(/(:\/\/)[^/@]*@/, "$1***@");
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
