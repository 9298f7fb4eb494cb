import { readFileSync } from "node:fs";
import type { Subprocess } from "bun";
import { type Duration, formatDuration, seconds } from "../../src/base/duration.ts";
import { type WaitOptions, waitFor } from "./wait-for.ts";

const GRACE = seconds(5);
const LOG_LINES_IN_ERRORS = 40;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** The program is killed after it: 30 s unless told. */
  readonly timeout?: Duration;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  /** As a shell shows it: 128 + the signal's number for a program that a signal ended. */
  readonly code: number;
}

export interface SpawnOptions extends WaitOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What has to be printed, or to be so, before spawn returns. */
  readonly ready?: RegExp | (() => boolean | Promise<boolean>);
}

type Piped = Subprocess<"ignore" | Uint8Array, "pipe", "pipe">;

const WAKE_EVERY_MS = 200;

/** What programs of a lab get: nothing of this machine's settings. */
const BASE_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LANG: "C.UTF-8",
  TERM: "dumb",
};

/** A program that runs inside a lab. Standard output and error are kept, together and in the order of their arrival. */
export class LabProcess {
  readonly argv: readonly string[];
  /** As this process sees it, not as the lab's own process namespace does. */
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly #entry: Piped;
  readonly #log: string[] = [];
  readonly #drained: Promise<unknown>;

  /** @param enter the words that put a program into its namespaces; they fork once, and wait. */
  static async start(enter: readonly string[], argv: readonly string[], options: SpawnOptions): Promise<LabProcess> {
    const entry = launch(enter, argv, options.env, "ignore");
    const pid = await waitFor(`${argv[0]} start`, () => (entry.exitCode === null ? onlyChildOf(entry.pid) : entry.pid));
    const process = new LabProcess(argv, entry, pid);
    const { ready } = options;
    if (ready !== undefined) await process.#becomeReady(ready, options);
    return process;
  }

  private constructor(argv: readonly string[], entry: Piped, pid: number) {
    this.argv = argv;
    this.pid = pid;
    this.#entry = entry;
    this.#drained = Promise.all([this.#collect(entry.stdout), this.#collect(entry.stderr)]);
    this.exited = this.#drained.then(() => entry.exited);
  }

  /** Everything printed until now. */
  get log(): string {
    return this.#log.join("");
  }

  get running(): boolean {
    return this.#entry.exitCode === null && this.#entry.signalCode === null;
  }

  /** Does nothing to a process that is gone. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  /** Stands still until what is returned is disposed of. */
  pause(): Disposable {
    this.signal("SIGSTOP");
    // nsenter stops with its child, and would not go on by itself.
    const resume = () => {
      this.signal("SIGCONT");
      this.#entry.kill("SIGCONT");
    };
    return { [Symbol.dispose]: resume };
  }

  /** SIGTERM, and SIGKILL for whoever does not listen. @returns the exit code */
  async stop(grace: Duration = GRACE): Promise<number> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), grace);
    // nsenter may be about to stop for a pause of its child's that is over: then nobody else would wake it.
    const waking = setInterval(() => this.#entry.kill("SIGCONT"), WAKE_EVERY_MS);
    const code = await this.exited;
    clearTimeout(timer);
    clearInterval(waking);
    return code;
  }

  /** What a crash does: SIGKILL, and gone on return. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  async waitForLog(pattern: RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    return await waitFor(`${pattern} in the log of ${this.argv[0]}`, () => pattern.exec(this.log), options);
  }

  async #becomeReady(ready: RegExp | (() => boolean | Promise<boolean>), options: WaitOptions): Promise<void> {
    const isReady = ready instanceof RegExp ? () => ready.test(this.log) : ready;
    try {
      const state = await waitFor(
        `${this.argv.join(" ")} ready`,
        async () => ((await isReady()) ? "ready" : !this.running && "ended"),
        options,
      );
      if (state === "ended")
        throw new Error(`Cannot start ${this.argv.join(" ")} as it ended: exit ${await this.exited}`);
    } catch (error) {
      await this.kill();
      const tail = this.log.split("\n").slice(-LOG_LINES_IN_ERRORS).join("\n");
      throw new Error(`${error instanceof Error ? error.message : error}\n${tail}`);
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#log.push(decoder.decode(chunk, { stream: true }));
  }
}

/** Runs a program to its end. @throws Error where it does not end in time */
export async function runToEnd(
  enter: readonly string[],
  argv: readonly string[],
  { env, input, timeout = seconds(30) }: RunOptions,
): Promise<RunResult> {
  const entry = launch(
    enter,
    argv,
    env,
    typeof input === "string" ? new TextEncoder().encode(input) : (input ?? "ignore"),
  );
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill(onlyChildOf(entry.pid) ?? entry.pid, "SIGKILL");
  }, timeout);
  const [stdout, stderr, code] = await Promise.all([entry.stdout.text(), entry.stderr.text(), entry.exited]);
  clearTimeout(timer);
  if (late) throw new Error(`Cannot run ${argv.join(" ")} as it takes more than ${formatDuration(timeout)}\n${stderr}`);
  return { stdout, stderr, code };
}

function launch(
  enter: readonly string[],
  argv: readonly string[],
  env: Readonly<Record<string, string>> | undefined,
  stdin: "ignore" | Uint8Array,
): Piped {
  const environment = { ...BASE_ENVIRONMENT, ...env };
  return Bun.spawn([...enter, ...argv], { env: environment, stdin, stdout: "pipe", stderr: "pipe" });
}

function onlyChildOf(pid: number): number | undefined {
  try {
    const child = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    return child === "" ? undefined : Number(child);
  } catch {
    return undefined;
  }
}
