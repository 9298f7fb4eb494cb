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
  unreachable: { code: 4, meaning: "whom it asks cannot be reached" },
  permission: { code: 5, meaning: "it lacks a permission" },
  unsupported: { code: 6, meaning: "this host lacks something it needs" },
  again: { code: 75, meaning: "it failed for now: try again" },
  config: { code: 78, meaning: "the configuration is wrong" },
} as const satisfies Readonly<Record<string, ExitCode>>;
