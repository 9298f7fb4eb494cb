import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const ENFILE = 23;
const EMFILE = 24;

/**
 * One descriptor that is kept for when there is no other. The runtime wakes up for a caller on a listening socket again
 * and again, with all of a processor, while there is no descriptor to let it in. With the reserve given up, callers can be
 * let in one after the other and sent away.
 */
export class DescriptorReserve {
  #held: number | undefined;
  #short = false;

  constructor() {
    this.look();
  }

  /** Whether this process, or the machine, had no descriptor left at the last look. */
  get short(): boolean {
    return this.#short;
  }

  /** Gives the reserve up where there is nothing else, and takes it back where there is. To be called now and then. */
  look(): void {
    const { value, errno } = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    this.#short = errno === EMFILE || errno === ENFILE;
    if (this.#short) {
      this.close();
    } else if (this.#held !== undefined) {
      libc().close(value);
    } else if (value >= 0) {
      this.#held = value;
      this.look();
    }
  }

  close(): void {
    if (this.#held !== undefined) libc().close(this.#held);
    this.#held = undefined;
  }
}
