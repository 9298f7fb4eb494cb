import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import { ipFamily, type Prefix, parseIp, parsePrefix } from "../../src/base/ip.ts";
import type { LogLevel } from "../../src/base/log.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";
import { LEASE_TIMING, type LeaseTiming } from "../../src/kube/election.ts";
import { AGENT_MODES, type OperatorSettings } from "./settings.ts";
import { checkSettings } from "./settings-check.ts";

export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/** What `selvedge-cloud operator` is told. */
export interface OperatorOptions {
  readonly settings: OperatorSettings;
  /** Undefined: the service account of the pod. */
  readonly kubeconfig: string | undefined;
  readonly authoritySecret: string;
  readonly leaseName: string;
  readonly timing: LeaseTiming;
  readonly listen: ListenAddress;
  readonly logLevel: LogLevel;
}

export interface OptionError {
  /** usage: the command line is not understood; config: a value in it cannot be. */
  readonly kind: "usage" | "config";
  readonly message: string;
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];
const AGENT_ARGUMENT = "AGENT_ARG_";

/** FabEdge's names and defaults; what has none has to be given. */
const DEFAULTS = {
  cluster: undefined,
  "cluster-role": "host",
  namespace: "fabedge",
  "cni-type": undefined,
  "cluster-cidr": undefined,
  "connector-subnets": "",
  "connector-public-addresses": undefined,
  "connector-public-port": "500",
  "connector-as-mediator": "false",
  "edge-labels": "node-role.kubernetes.io/edge=",
  "edge-pod-cidr": "",
  "edge-pod-cidr6": "",
  "edge-cidr-mask-size": "24",
  "edge-cidr-mask-size6": "64",
  "auto-keep-ippools": "true",
  "endpoint-id-format": "C=CN, O=fabedge.io, CN={node}",
  "cert-organization": "fabedge.io",
  "ca-secret": "fabedge-ca",
  "agent-mode": "host",
  "agent-image": "selvedge:latest",
  "agent-strongswan-image": "fabedge/strongswan:latest",
  "agent-image-pull-policy": "IfNotPresent",
  "leader-election-id": "fabedge-operator-leader",
  "leader-lease-duration": `${LEASE_TIMING.leaseDuration / 1000}s`,
  "leader-renew-deadline": `${LEASE_TIMING.renewDeadline / 1000}s`,
  "leader-retry-period": `${LEASE_TIMING.retryPeriod / 1000}s`,
  kubeconfig: "",
  "http-bind": ":8081",
  "log-level": "info",
} as const satisfies Readonly<Record<string, string | undefined>>;

type Name = keyof typeof DEFAULTS;

/** Raised by a reader and caught by `parseOperatorOptions`. */
class Refusal extends Error {}

/**
 * @param words the arguments after "operator"
 * @param environment arguments of every agent: AGENT_ARG_LOG_LEVEL=5 is --log-level=5
 */
export function parseOperatorOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Result<OperatorOptions, OptionError> {
  const given = readWords(words);
  if (!given.ok) return given;
  try {
    const options = readOptions(given.value, agentArguments(environment));
    const [problem] = checkSettings(options.settings);
    if (problem !== undefined) return fail({ kind: "config", message: `${problem.message}. ${problem.hint}` });
    return ok(options);
  } catch (error) {
    if (error instanceof Refusal) return fail({ kind: "config", message: error.message });
    throw error;
  }
}

function readWords(words: readonly string[]): Result<ReadonlyMap<Name, string>, OptionError> {
  const given = new Map<Name, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    const [, name = "", inline] = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (!isName(name)) return fail({ kind: "usage", message: `operator has no argument "${word}"` });
    const alone = DEFAULTS[name] === "true" || DEFAULTS[name] === "false" ? "true" : words[++i];
    const value = inline ?? alone;
    if (inline !== undefined && alone !== "true") i -= 1;
    if (value === undefined) return fail({ kind: "usage", message: `--${name} needs a value` });
    given.set(name, value);
  }
  const missing = Object.entries(DEFAULTS).find(([name, value]) => value === undefined && !given.has(name as Name));
  return missing === undefined ? ok(given) : fail({ kind: "usage", message: `operator needs --${missing[0]}` });
}

function isName(name: string): name is Name {
  return Object.hasOwn(DEFAULTS, name);
}

function readOptions(given: ReadonlyMap<Name, string>, agent: Readonly<Record<string, string>>): OperatorOptions {
  const text = (name: Name) => given.get(name) ?? DEFAULTS[name] ?? "";
  const list = (name: Name) =>
    text(name)
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  const prefixes = (name: Name) => list(name).map((part) => readPrefix(name, part));
  const oneOf = <T extends string>(name: Name, values: readonly T[]): T =>
    values.find((value) => value === text(name)) ?? refuse(name, `one of ${values.join(", ")}`, text(name));
  const whole = (name: Name, least: number, most: number) => readWhole(name, text(name), least, most);
  const yes = (name: Name) => oneOf(name, ["true", "false"]) === "true";
  const named = (name: Name) =>
    /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text(name)) ? text(name) : refuse(name, "a name", text(name));
  return {
    settings: {
      cluster: named("cluster"),
      role: oneOf("cluster-role", ["host", "member"]),
      namespace: named("namespace"),
      cni: oneOf("cni-type", ["flannel", "calico"]),
      clusterCidrs: prefixes("cluster-cidr"),
      connector: {
        subnets: prefixes("connector-subnets"),
        publicAddresses: list("connector-public-addresses"),
        publicPort: whole("connector-public-port", 1, 65_535),
        mediator: yes("connector-as-mediator"),
      },
      edgeLabels: Object.fromEntries(list("edge-labels").map((label) => splitLabel(label))),
      edgePools: [
        ...prefixes("edge-pod-cidr").map((cidr) =>
          readPool("edge-pod-cidr", cidr, 4, whole("edge-cidr-mask-size", 1, 32)),
        ),
        ...prefixes("edge-pod-cidr6").map((cidr) =>
          readPool("edge-pod-cidr6", cidr, 6, whole("edge-cidr-mask-size6", 1, 128)),
        ),
      ],
      keepIpPools: yes("auto-keep-ippools"),
      endpointIdFormat: text("endpoint-id-format"),
      certificateOrganization: text("cert-organization"),
      agent: {
        mode: oneOf("agent-mode", AGENT_MODES),
        image: text("agent-image"),
        strongswanImage: text("agent-strongswan-image"),
        imagePullPolicy: oneOf("agent-image-pull-policy", ["Always", "IfNotPresent", "Never"]),
        arguments: agent,
      },
    },
    kubeconfig: text("kubeconfig") || undefined,
    authoritySecret: named("ca-secret"),
    leaseName: named("leader-election-id"),
    timing: readTiming(
      readDuration("leader-lease-duration", text("leader-lease-duration")),
      readDuration("leader-renew-deadline", text("leader-renew-deadline")),
      readDuration("leader-retry-period", text("leader-retry-period")),
    ),
    listen: readListen("http-bind", text("http-bind")),
    logLevel: oneOf("log-level", LOG_LEVELS),
  };
}

function agentArguments(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const entries = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith(AGENT_ARGUMENT) && value !== undefined
      ? [[name.slice(AGENT_ARGUMENT.length).toLowerCase().replaceAll("_", "-"), value] as const]
      : [],
  );
  return Object.fromEntries(entries);
}

function readPrefix(name: Name, text: string): Prefix {
  const prefix = parsePrefix(text);
  return prefix.ok ? prefix.value : refuse(name, "a list of networks, such as 10.1.0.0/16", text);
}

function readPool(name: Name, cidr: Prefix, family: 4 | 6, blockLength: number) {
  return ipFamily(cidr.address) === family
    ? { cidr, blockLength }
    : refuse(name, `a network of IPv${family}`, cidr.address);
}

function readWhole(name: Name, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : refuse(name, `a number from ${least} to ${most}`, text);
}

/** As Go writes durations, in one unit. */
function readDuration(name: Name, text: string): Duration {
  const [, number, unit] = /^(\d{1,9})(ms|s|m)$/.exec(text) ?? [];
  const units: Readonly<Record<string, Duration>> = { ms: milliseconds(1), s: seconds(1), m: seconds(60) };
  const factor = units[unit ?? ""];
  return factor === undefined ? refuse(name, "a duration, such as 15s", text) : milliseconds(Number(number) * factor);
}

function readTiming(leaseDuration: Duration, renewDeadline: Duration, retryPeriod: Duration): LeaseTiming {
  if (leaseDuration > renewDeadline && renewDeadline > retryPeriod && retryPeriod > 0) {
    return { leaseDuration, renewDeadline, retryPeriod };
  }
  const given = [leaseDuration, renewDeadline, retryPeriod].map((each) => `${each} ms`).join(", ");
  throw new Refusal(
    `The lease's duration, its renewal's deadline and its period are each longer than the next: current value is ${given}`,
  );
}

function splitLabel(label: string): readonly [string, string] {
  const at = label.indexOf("=");
  return at < 0 ? [label, ""] : [label.slice(0, at), label.slice(at + 1)];
}

/** ":8081" for every address, "10.0.0.1:8081", "[::1]:8081". */
function readListen(name: Name, text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const ip = parseIp(match?.[1] ?? (match?.[2] || "::"));
  const port = Number(match?.[3]);
  return ip.ok && port <= 65_535 ? { hostname: ip.value, port } : refuse(name, "an address with a port", text);
}

function refuse(name: Name, wanted: string, value: string): never {
  throw new Refusal(`--${name} is ${wanted}: current value is ${value}`);
}
