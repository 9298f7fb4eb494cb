import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../lab/wait-for.ts";

const GROUPS = "/sys/fs/cgroup";
const STEP_BYTES = 256 * 1024;

/** The files of the two versions of the memory controller (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst). */
interface Controller {
  readonly root: string;
  readonly limit: string;
  readonly usage: string;
  /** The field of memory.stat: pages that no file has. */
  readonly anonymous: string;
}

const FIRST: Controller = {
  root: join(GROUPS, "memory"),
  limit: "memory.limit_in_bytes",
  usage: "memory.usage_in_bytes",
  anonymous: "rss",
};
const SECOND: Controller = { root: GROUPS, limit: "memory.max", usage: "memory.current", anonymous: "anon" };

/** A control group in which memory can be made scarce. It is this machine's: only what a test started goes into it. */
export class MemoryGroup implements AsyncDisposable {
  readonly path: string;
  readonly #controller: Controller;

  static create(name: string): MemoryGroup {
    const controller = existsSync(join(FIRST.root, FIRST.usage)) ? FIRST : SECOND;
    const path = join(controller.root, `selvedge-${name}-${process.pid}`);
    // systemd has done so where it runs.
    if (controller === SECOND) writeFileSync(join(controller.root, "cgroup.subtree_control"), "+memory");
    mkdirSync(path);
    if (!existsSync(join(path, controller.limit))) {
      rmdirSync(path);
      throw new Error(`Cannot limit memory as the memory controller is not to be had in ${controller.root}`);
    }
    return new MemoryGroup(path, controller);
  }

  private constructor(path: string, controller: Controller) {
    this.path = path;
    this.#controller = controller;
  }

  /** The words before a command that put it into the group; hosts of a lab do not see the group, so these come first. */
  get enter(): readonly string[] {
    return ["sh", "-euc", `echo $$ >"$0"; exec "$@"`, join(this.path, "cgroup.procs")];
  }

  /** The kernel gives up after a few tries (EBUSY) where the pages to be taken are in use; what it took stays taken. */
  async limit(bytes: number): Promise<void> {
    await waitFor(`the limit of ${Math.round(bytes)} bytes`, async () => {
      await writeFile(join(this.path, this.#controller.limit), String(Math.round(bytes)));
      return true;
    });
  }

  /** As little as the kernel makes it: what it can take back of none, such as its own for these processes, stays. */
  async squeeze(bytes: number): Promise<void> {
    for (let most = Math.round(bytes); ; most += STEP_BYTES) {
      try {
        await writeFile(join(this.path, this.#controller.limit), String(most));
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      }
    }
  }

  get usageBytes(): number {
    return Number(this.#read(this.#controller.usage));
  }

  get anonymousBytes(): number {
    return Number(new RegExp(`^${this.#controller.anonymous} (\\d+)$`, "m").exec(this.#read("memory.stat"))?.[1]);
  }

  /** The last of its processes may still be ending. */
  async [Symbol.asyncDispose](): Promise<void> {
    await waitFor("an empty control group", () => {
      rmdirSync(this.path);
      return true;
    });
  }

  #read(file: string): string {
    return readFileSync(join(this.path, file), "latin1").trim();
  }
}
