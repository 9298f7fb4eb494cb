import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { errorCode, SelvedgeError } from "../base/errors.ts";
import { systemError } from "./errno.ts";
import { libc } from "./libc.ts";

/** linux/sched.h */
const CLONE_NEWNET = 0x40000000;
/** Of the calling thread: other threads of a process can be elsewhere. */
const OWN = "/proc/thread-self/ns/net";

/**
 * Another network namespace of this machine, by its file.
 *
 * setns(2) moves one thread. Inside `run` that is the one that runs JavaScript, and nothing of JavaScript but the given
 * function runs before it is back, since neither of them waits. A socket belongs for ever to the namespace that it was
 * made in, so one that is opened in there is used from here like any other. /proc/sys/net shows the namespace of
 * whoever opens a file.
 *
 * A thread that the runtime starts meanwhile would stay in there, so this is for short-lived programs.
 */
export class NetworkNamespace {
  /** For the kernel: a link is made in the namespace of this descriptor. */
  readonly descriptor: number;
  readonly #path: string;

  /** @throws SelvedgeError NETNS_INVALID */
  constructor(path: string) {
    this.#path = path;
    try {
      this.descriptor = openSync(path, "r");
    } catch (error) {
      throw invalid(path, errorCode(error), error);
    }
  }

  /** Whether it is the one that this program runs in. */
  get isOwn(): boolean {
    const [own, other] = [statSync(OWN, { bigint: true }), fstatSync(this.descriptor, { bigint: true })];
    return own.dev === other.dev && own.ino === other.ino;
  }

  /**
   * @param work is done in there, and must not wait
   * @throws SelvedgeError NETNS_INVALID where the file is no network namespace; EPERM
   */
  run<T>(work: () => T extends PromiseLike<unknown> ? never : T): T {
    const home = openSync(OWN, "r");
    try {
      const { errno } = libc().setns(this.descriptor, CLONE_NEWNET);
      if (errno !== 0) {
        const error = systemError(`enter network namespace ${this.#path}`, errno);
        throw error.code === "EINVAL" ? invalid(this.#path, "it is another kind of file", error) : error;
      }
      try {
        return work();
      } finally {
        comeBack(home);
      }
    } finally {
      closeSync(home);
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** @throws SelvedgeError when every socket from now on would be of the wrong network */
function comeBack(home: number): void {
  const { errno } = libc().setns(home, CLONE_NEWNET);
  if (errno !== 0) throw systemError("come back from a network namespace", errno);
}

function invalid(path: string, why: string, cause: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot use "${path}" as a network namespace: ${why}`, {
    code: "NETNS_INVALID",
    blame: "peer",
    retry: "never",
    cause,
  });
}
