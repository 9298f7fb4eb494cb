import { errorCode } from "../../src/base/errors.ts";

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

/** What the exit status of every command means; 75 and 78 are sysexits.h's, which service managers know. */
export const EXIT = {
  ok: { code: 0, meaning: "it worked" },
  failed: { code: 1, meaning: "it failed" },
  usage: { code: 2, meaning: "the command line is wrong" },
  unhealthy: { code: 3, meaning: "it looked, and something is wrong" },
  unreachable: { code: 4, meaning: "the agent cannot be reached" },
  permission: { code: 5, meaning: "it lacks a permission" },
  unsupported: { code: 6, meaning: "this host lacks something it needs" },
  again: { code: 75, meaning: "it failed for now: try again" },
  config: { code: 78, meaning: "the configuration is wrong" },
} as const satisfies Readonly<Record<string, ExitCode>>;

const BY_ERROR: Readonly<Record<string, ExitCode>> = {
  AGENT_UNREACHABLE: EXIT.unreachable,
  AGENT_SILENT: EXIT.unreachable,
  AGENT_FORBIDDEN: EXIT.permission,
  CONFIG_FORBIDDEN: EXIT.permission,
  CONFIG_UNREADABLE: EXIT.config,
  AGENT_RUNNING: EXIT.again,
  JOIN_UNREACHABLE: EXIT.again,
  JOIN_WORDS: EXIT.usage,
  DNS_ZONE_INVALID: EXIT.config,
  EACCES: EXIT.permission,
  EPERM: EXIT.permission,
  LIBC_MISSING: EXIT.unsupported,
  EAFNOSUPPORT: EXIT.unsupported,
  EPROTONOSUPPORT: EXIT.unsupported,
};

export function exitCodeOf(error: unknown): ExitCode {
  return BY_ERROR[errorCode(error)] ?? EXIT.failed;
}
