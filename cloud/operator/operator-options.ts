import type { Duration } from "../../src/base/duration.ts";
import type { LogLevel } from "../../src/base/log.ts";
import type { Result } from "../../src/base/result.ts";
import { LEASE_TIMING, type LeaseTiming } from "../../src/kube/election.ts";
import { type ListenAddress, type OptionError, type OptionValues, readOptions } from "./option-values.ts";
import type { OperatorSettings } from "./settings.ts";
import { readSettings, SETTINGS_OPTIONS } from "./settings-options.ts";

/** What `selvedge-cloud operator` is told. */
export interface OperatorOptions {
  readonly settings: OperatorSettings;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly authoritySecret: string;
  readonly leaseName: string;
  readonly timing: LeaseTiming;
  readonly listen: ListenAddress;
  readonly join: JoinOptions | undefined;
  readonly logLevel: LogLevel;
}

/** Where nodes join. */
export interface JoinOptions {
  readonly listen: ListenAddress;
  /** Under which nodes reach it, besides the connector's. */
  readonly addresses: readonly string[];
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

export const JOIN_OPTIONS = { "join-listen": "", "join-addresses": "" } as const;

const DEFAULTS = {
  ...SETTINGS_OPTIONS,
  ...JOIN_OPTIONS,
  "ca-secret": "fabedge-ca",
  "leader-election-id": "fabedge-operator-leader",
  "leader-lease-duration": `${LEASE_TIMING.leaseDuration / 1000}s`,
  "leader-renew-deadline": `${LEASE_TIMING.renewDeadline / 1000}s`,
  "leader-retry-period": `${LEASE_TIMING.retryPeriod / 1000}s`,
  kubeconfig: "",
  "http-bind": ":8081",
  "log-level": "info",
} as const;

/**
 * @param words the arguments after "operator"
 * @param environment arguments of every agent: AGENT_ARG_LOG_LEVEL=5 is --log-level=5
 */
export function parseOperatorOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<OperatorOptions, OptionError> {
  return readOptions("operator", words, DEFAULTS, (values) => ({
    settings: readSettings(values, environment),
    kubeconfig: values.text("kubeconfig") || undefined,
    authoritySecret: values.name("ca-secret"),
    leaseName: values.name("leader-election-id"),
    timing: readTiming(values),
    listen: values.listen("http-bind"),
    join: readJoin(values),
    logLevel: values.oneOf("log-level", LOG_LEVELS),
  }));
}

export function readJoin(values: OptionValues<keyof typeof JOIN_OPTIONS>): JoinOptions | undefined {
  if (values.text("join-listen") === "") return undefined;
  return { listen: values.listen("join-listen"), addresses: values.list("join-addresses") };
}

function readTiming(values: OptionValues<keyof typeof DEFAULTS>): LeaseTiming {
  const leaseDuration = values.duration("leader-lease-duration");
  const renewDeadline = values.duration("leader-renew-deadline");
  const retryPeriod = values.duration("leader-retry-period");
  if (leaseDuration > renewDeadline && renewDeadline > retryPeriod && retryPeriod > 0) {
    return { leaseDuration, renewDeadline, retryPeriod };
  }
  const given = [leaseDuration, renewDeadline, retryPeriod].map((each: Duration) => `${each} ms`).join(", ");
  return values.contradict(
    `The lease's duration, its renewal's deadline and its period are each longer than the next: current value is ${given}`,
  );
}
