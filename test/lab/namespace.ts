import { LabProcess, type RunOptions, type RunResult, runToEnd, type SpawnOptions } from "./process.ts";

/** Programs run here as on a machine of their own. */
export class Namespace {
  readonly name: string;
  /** The words before a command that put it here, for a person too: `nsenter … -- bash`. */
  readonly enter: readonly string[];

  constructor(name: string, enter: readonly string[]) {
    this.name = name;
    this.enter = enter;
  }

  /** Runs a program to its end, whatever that is. The working directory is `/`. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runToEnd(this.enter, argv, options);
  }

  /** @returns standard output @throws Error where the program fails */
  async output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const { stdout, stderr, code } = await this.run(argv, options);
    if (code !== 0)
      throw new Error(`Cannot run "${argv.join(" ")}" on ${this.name} as it failed: exit ${code}\n${stderr}`);
    return stdout;
  }

  spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<LabProcess> {
    return LabProcess.start(this.enter, argv, options);
  }

  /** Runs `ip` for every line, in one process. */
  async ip(...lines: readonly string[]): Promise<void> {
    await this.output(["ip", "-batch", "-"], { input: `${lines.join("\n")}\n` });
  }
}
