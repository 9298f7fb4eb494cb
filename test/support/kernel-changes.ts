import type { Host } from "../lab/host.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";

/** Says that nft sees nothing, or the table with which the agent asks the kernel what it can do. */
const NO_CHANGE = / mark\d+$| ip6? selvedge-probe\b|^# new generation |^$/;

/** What `nft monitor` prints of a host: every change of anybody's to tables, sets, chains, rules and elements. */
export class KernelChanges {
  readonly #host: Host;
  readonly #monitor: LabProcess;
  #marks = 0;

  static async watch(host: Host): Promise<KernelChanges> {
    const changes = new KernelChanges(host, await host.spawn(["stdbuf", "-oL", "nft", "monitor"]));
    // It runs before it listens.
    await waitFor("nft to listen", async () => {
      await changes.#mark();
      return changes.#monitor.log.includes(" mark");
    });
    return changes;
  }

  private constructor(host: Host, monitor: LabProcess) {
    this.#host = host;
    this.#monitor = monitor;
  }

  /** Up to now: a change made here shows that nft has told of all those before it. */
  async seen(): Promise<readonly string[]> {
    const mark = await this.#mark();
    await waitFor("the mark in what nft sees", () => this.#monitor.log.includes(`delete table ip ${mark}\n`));
    return this.#monitor.log.split("\n").filter((line) => !NO_CHANGE.test(line));
  }

  async #mark(): Promise<string> {
    const mark = `mark${++this.#marks}`;
    await this.#host.output(["nft", `add table ip ${mark}; delete table ip ${mark}`]);
    return mark;
  }
}
