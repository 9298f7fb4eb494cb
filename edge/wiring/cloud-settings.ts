import type { Clock, Timer } from "../../src/base/clock.ts";
import { type Duration, milliseconds, minutes } from "../../src/base/duration.ts";
import { errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import type { CloudSettingsPlace } from "../config/cloud-settings-place.ts";
import { type Config, OPTION_KEYS, optionOf } from "../config/options.ts";
import { type LoadedConfig, loadConfig } from "../config.ts";

/** Some forty settings, a line each; aliases of YAML can make a thousand times as much of it, which is still little. */
export const CLOUD_SETTINGS_LENGTH_MAX = 16 * 1024;
/** A cloud that cannot make up its mind does not keep a node starting. */
const RENEWALS_APART = minutes(1);

/** What the next start reads. */
export interface SettingsStore {
  /** Wall time in milliseconds since 1970; undefined: it never was. */
  writtenAt(): number | undefined;
  /** @throws Error with the system's code */
  write(text: string): void;
}

export interface CloudSettingsOptions {
  /** What the agent runs with. */
  readonly loaded: LoadedConfig;
  readonly place: CloudSettingsPlace;
  readonly store: SettingsStore;
  /** Whether somebody starts the agent again when it ends. */
  readonly supervised: boolean;
  readonly health: Health;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Keeps the settings that the cloud has for this node where the next start reads them. The agent takes settings at its
 * start alone, so one that changes asks for a new start: the kernel carries everything on meanwhile.
 */
export class CloudSettings {
  readonly #options: CloudSettingsOptions;
  readonly #renewal = Promise.withResolvers<void>();
  #kept: string;
  #timer: Timer | undefined;

  constructor(options: CloudSettingsOptions, scope: Scope) {
    this.#options = options;
    this.#kept = options.loaded.sources.cloud?.text ?? "";
    scope.onClose("cloud settings", () => this.#timer?.cancel());
  }

  /** Resolves once the agent is to be started anew. */
  get renewal(): Promise<void> {
    return this.#renewal.promise;
  }

  /** What the cache says, other kinds among it. A ConfigMap that is gone leaves what it said last. */
  take(changes: readonly ObjectChange[]): void {
    for (const change of changes) {
      if (change.kind !== "ConfigMap" || change.key !== this.#options.place.key) continue;
      if (change.value !== undefined) this.#settle(change.value.settings ?? "");
    }
  }

  #settle(text: string): void {
    const { place, loaded, health, clock, store } = this.#options;
    this.#timer?.cancel();
    const judged = judge(text, place, loaded);
    if (typeof judged === "string") {
      health.raise({
        code: "CLOUD_SETTINGS_REFUSED",
        component: "config",
        severity: "degraded",
        message: `Cannot take the settings in ${place.from}: ${judged}`,
        hint: "Correct the node's annotations argument.fabedge.io/…, or agent.args of the chart; the last good ones count.",
      });
      return;
    }
    health.clear("config", "CLOUD_SETTINGS_REFUSED");
    if (text === this.#kept) {
      health.clear("config", "CLOUD_SETTINGS_UNWRITABLE");
      return;
    }
    const changed = changedSettings(loaded.config, judged);
    const wait = changed.length === 0 ? milliseconds(0) : waitOf(store.writtenAt(), clock.wall());
    if (wait > 0) this.#timer = clock.after(wait, () => this.#keep(text, changed));
    else this.#keep(text, changed);
  }

  #keep(text: string, changed: readonly string[]): void {
    const { place, store, health, log, clock, supervised } = this.#options;
    try {
      store.write(text);
    } catch (error) {
      health.raise({
        code: "CLOUD_SETTINGS_UNWRITABLE",
        component: "config",
        severity: "degraded",
        message: `Cannot keep the settings in ${place.from} in ${place.file}: ${errorText(error)}; those before count`,
        hint: "Free space, or make the directory of --state-dir writable. It is tried again each minute.",
      });
      this.#timer = clock.after(RENEWALS_APART, () => this.#settle(text));
      return;
    }
    this.#kept = text;
    health.clear("config", "CLOUD_SETTINGS_UNWRITABLE");
    if (changed.length === 0) return;
    const fields = { name: changed.join(","), reason: place.from };
    if (!supervised) {
      log.warn("config.changed", "The cloud has changed settings: they count when the agent is started again.", fields);
      return;
    }
    log.info("config.changed", "The cloud has changed settings: the agent ends, to be started with them.", fields);
    this.#renewal.resolve();
  }
}

/** @returns what the agent would run with, or why it cannot */
function judge(text: string, { from }: CloudSettingsPlace, { sources }: LoadedConfig): Config | string {
  if (text.length > CLOUD_SETTINGS_LENGTH_MAX) {
    return `it is longer than ${CLOUD_SETTINGS_LENGTH_MAX} characters: ${text.length}`;
  }
  const loaded = loadConfig({ ...sources, cloud: { path: from, text } });
  return loaded.ok ? loaded.value.config : loaded.error.map(({ message }) => message).join(" ");
}

function changedSettings(before: Config, after: Config): readonly string[] {
  const changed = OPTION_KEYS.filter((key) => {
    const { format } = optionOf(key).type;
    return format(before[key]) !== format(after[key]);
  });
  return changed.map((key) => optionOf(key).name);
}

/** Clocks of nodes jump: what was written in the future was not. */
function waitOf(writtenAt: number | undefined, wall: number): Duration {
  if (writtenAt === undefined || writtenAt > wall) return milliseconds(0);
  return milliseconds(Math.max(0, writtenAt + RENEWALS_APART - wall));
}
