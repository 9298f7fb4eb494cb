import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/** An echo request every 20 ms, and when each answer came. */
export class SteadyPing {
  readonly #process: LabProcess;

  static async start(from: Host, to: string): Promise<SteadyPing> {
    // -D prints the time of each answer, -O each request that has none yet.
    const argv = ["ping", "-n", "-D", "-i", "0.02", "-W", "1", to];
    return new SteadyPing(await from.spawn(argv, { ready: /bytes from/ }));
  }

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  /** After one more answer: of a silence that lasts to the end nobody could tell how much is lost. */
  async stop(): Promise<{ readonly sent: number; readonly lost: number; readonly longestGapSeconds: number }> {
    const asked = Date.now() / 1000;
    await waitFor("an answer", () => (this.#times().at(-1) ?? 0) > asked);
    this.#process.signal("SIGINT");
    await this.#process.exited;
    const times = this.#times();
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? time));
    const numbers = [...this.#process.log.matchAll(/ icmp_seq=(\d+) ttl/g)].map(([, number]) => Number(number));
    // What was under way when it was stopped is not lost.
    const sent = Math.max(0, ...numbers);
    return { sent, lost: sent - new Set(numbers).size, longestGapSeconds: Math.max(0, ...gaps) };
  }

  #times(): readonly number[] {
    return [...this.#process.log.matchAll(/^\[([\d.]+)\] \d+ bytes from/gm)].map(([, time]) => Number(time));
  }
}
