import { errorCode } from "../../src/base/errors.ts";
import { EXIT, type ExitCode } from "../../src/cli/exit-code.ts";

/** To systemd a start that failed and is tried again; with any other but 0 an ExecCondition= leaves the unit for good. */
const CONDITION_FAILED: ExitCode = { code: 255, meaning: "another program has what it needs" };

const BY_ERROR: Readonly<Record<string, ExitCode>> = {
  AGENT_UNREACHABLE: EXIT.unreachable,
  AGENT_SILENT: EXIT.unreachable,
  AGENT_FORBIDDEN: EXIT.permission,
  CONFIG_FORBIDDEN: EXIT.permission,
  CONFIG_UNREADABLE: EXIT.config,
  AGENT_RUNNING: EXIT.again,
  IKE_PORT_TAKEN: CONDITION_FAILED,
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
  const named = BY_ERROR[errorCode(error)];
  if (named !== undefined) return named;
  // What it was about has the code of our own, such as INSTALL_FAILED; the kernel's says that another user could.
  const cause = error instanceof Error ? errorCode(error.cause) : "";
  return cause === "EACCES" || cause === "EPERM" ? EXIT.permission : EXIT.failed;
}
