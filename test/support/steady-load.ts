import { seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/** One after the other with a breath between, each a program of its own; microseconds from its start to its end. */
const LOOP = `
while :; do
  begin=$EPOCHREALTIME
  if sh -c "$1" >/dev/null 2>&1; then outcome=worked; else outcome=failed; fi
  end=$EPOCHREALTIME
  echo "$outcome $((\${end/./} - \${begin/./}))"
  sleep 0.02
done`;

export interface LoadResult {
  readonly count: number;
  readonly failed: number;
  readonly longestMilliseconds: number;
}

/** A command that a host runs over and over. */
export class SteadyLoad {
  readonly #process: LabProcess;

  /** @returns once it has worked */
  static async start(host: Host, command: string): Promise<SteadyLoad> {
    const options = { ready: /^worked/m };
    return new SteadyLoad(await host.spawn(["bash", "-c", LOOP, "bash", command], options));
  }

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  /** Of everything up to now. */
  get result(): LoadResult {
    const lines = this.#process.log.trim().split("\n");
    return {
      count: lines.length,
      failed: lines.filter((line) => line.startsWith("failed")).length,
      longestMilliseconds: Math.max(...lines.map((line) => Math.round(Number(line.split(" ")[1]) / 1000))),
    };
  }

  /** @returns when one that began after the call has ended */
  async goesOn(): Promise<void> {
    const before = this.result.count;
    // A resolver that lost a query asks again after five seconds, and after five more.
    await waitFor("the load going on", () => this.result.count > before + 1, { timeout: seconds(30) });
  }
}
