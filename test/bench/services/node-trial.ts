import { readFileSync } from "node:fs";
import { seconds } from "../../../src/base/duration.ts";
import type { LabProcess } from "../../lab/process.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { cpuSecondsOf } from "../../support/process-usage.ts";
import { slabBytes } from "../process-sample.ts";
import { monotonicSeconds } from "./native.ts";
import type { NodeProgram } from "./node-program.ts";
import type { ServicePath } from "./service-path.ts";

/** Who needs longer to load is given up. */
const LOAD_CAP = seconds(20 * 60);
/** The first look at the kernel's events waits as long as whatever is going on before it. */
const SETTLE_TIMEOUT = seconds(300);
const SETTLE_WINDOW_MILLISECONDS = 300;
const SETTLED_CPU_SECONDS = 0.02;
/** The kernel frees what belonged to a process, and a ruleset, behind the back of who ends or deletes it. */
const RELEASE_MILLISECONDS = 1000;

export interface Load {
  readonly seconds: number;
  /** Otherwise it was given up after so long. */
  readonly finished: boolean;
}

/** A program, or one program after another, on the node of a path: started, loaded, halted, removed. */
export class NodeTrial {
  readonly path: ServicePath;
  readonly #kubeconfig: string;
  #process: LabProcess | undefined;

  constructor(path: ServicePath, kubeconfig: string) {
    this.path = path;
    this.#kubeconfig = kubeconfig;
  }

  /** @returns from exec until the kernel has that many endpoints more than the API server's own service has */
  async load(program: NodeProgram, endpoints: number): Promise<Load> {
    const { node, observer } = this.path;
    await observer.ask("watch", program.layout);
    const started = monotonicSeconds();
    this.#process = await program.start(node, this.#kubeconfig);
    const complete = async () => {
      if (this.#process?.running === false) throw new Error(`${program.name} ended:\n${this.#process.log}`);
      const commits = await observer.ask("commits", null);
      return commits.find((commit) => commit.endpoints >= endpoints);
    };
    try {
      const { seenAt } = await waitFor(`all endpoints of ${program.name}`, complete, { timeout: LOAD_CAP });
      return { seconds: seenAt - started, finished: true };
    } catch (error) {
      if (monotonicSeconds() - started < LOAD_CAP / 1000) throw error;
      return { seconds: monotonicSeconds() - started, finished: false };
    } finally {
      await observer.ask("unwatch", null);
    }
  }

  /** As before a first installation. @returns how much memory the kernel got back for the ruleset */
  async remove(program: NodeProgram): Promise<number> {
    await this.stop();
    await Bun.sleep(RELEASE_MILLISECONDS);
    const before = slabBytes();
    await this.path.node.output(["nft", "flush", "ruleset"]);
    await Bun.sleep(RELEASE_MILLISECONDS);
    const freed = before - slabBytes();
    await program.forget(this.path.node);
    return freed;
  }

  /** What it has in the kernel stays. */
  async stop(): Promise<void> {
    this.resume();
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** The other program is being measured, and is not to share the processors with this one. */
  pause(): void {
    this.#process?.signal("SIGSTOP");
  }

  resume(): void {
    if (this.#process === undefined || !this.#process.running) return;
    // nsenter, which waits for it, stops when it stops.
    process.kill(parentOf(this.#process.pid), "SIGCONT");
    this.#process.signal("SIGCONT");
  }

  /** Waits until it does nothing more. */
  async settle(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    let before = cpuSecondsOf(pid);
    await waitFor(
      `rest of process ${pid}`,
      async () => {
        await Bun.sleep(SETTLE_WINDOW_MILLISECONDS);
        const used = cpuSecondsOf(pid) - before;
        before += used;
        return used <= SETTLED_CPU_SECONDS && !hasChildren(pid);
      },
      { timeout: SETTLE_TIMEOUT },
    );
  }
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

/** kube-proxy runs the `nft` program, and waits. */
function hasChildren(pid: number): boolean {
  const threads = new Bun.Glob("*/children").scanSync(`/proc/${pid}/task`);
  return [...threads].some((file) => readFileSync(`/proc/${pid}/task/${file}`, "latin1") !== "");
}
