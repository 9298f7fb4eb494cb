import { describe, expect, test } from "bun:test";

const INSIDE = "SELVEDGE_TEST_NAMESPACE";
const LIMIT_MS = 120_000;

/**
 * Private network, mounts and processes: named network namespaces vanish with the file, and so do programs that a
 * crashed test left behind.
 */
const UNSHARE = [
  ...["unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"],
  ...["sh", "-c", 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && ip link set lo up && exec "$@"', "sh"],
];

/**
 * Defines the tests of one file so that they run as root of a fresh network namespace, with only `lo`.
 *
 * Started by `bun test`, the file is run again inside the namespace, as one test whose output is that of all. A runner
 * that counts tests one by one runs the file through `namespaceCommand` itself.
 *
 * @param file import.meta.path of the test file
 */
export function inNamespace(file: string, define: () => void): void {
  if (process.env[INSIDE] === "1") {
    define();
    return;
  }
  describe("in a fresh network namespace", () => {
    test(
      "every test of the file passes",
      async () => {
        const { command, env } = namespaceCommand([process.execPath, "test", "--timeout=30000", file]);
        const run = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "pipe", stderr: "pipe" });
        const [out, err] = await Promise.all([run.stdout.text(), run.stderr.text()]);
        if ((await run.exited) !== 0) throw new Error(`${err}${out}`);
        expect(err).toContain(" 0 fail");
      },
      LIMIT_MS,
    );
  });
}

/** The command line and the variables that run a program in a fresh network namespace. */
export function namespaceCommand(program: readonly string[]): {
  readonly command: string[];
  readonly env: Readonly<Record<string, string>>;
} {
  return { command: [...UNSHARE, ...program], env: { [INSIDE]: "1" } };
}

/** Runs a program to its end. @throws with what it printed, unless it succeeded */
export function run(...command: string[]): string {
  const { stdout, stderr, exitCode } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`Cannot run "${command.join(" ")}": exit ${exitCode}: ${stderr}${stdout}`);
  return stdout.toString();
}
