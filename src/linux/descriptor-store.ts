import { libc } from "./libc.ts";
import type { SdNotify } from "./sd-notify.ts";

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_DESCRIPTOR = 3;

type Environment = Readonly<Record<string, string | undefined>>;

/** What systemd hands to this process of what an earlier one left with it, by name (sd_listen_fds_with_names(3)). */
export function parseListenDescriptors(environment: Environment, pid: number): Map<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = environment;
  if (LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS ?? "")) return new Map();
  const names = (LISTEN_FDNAMES ?? "").split(":").slice(0, Number(LISTEN_FDS));
  return new Map(names.map((name, i) => [name, FIRST_DESCRIPTOR + i]));
}

/** Descriptors that systemd keeps open from one run of the unit to the next: FileDescriptorStoreMax=. */
export class DescriptorStore {
  readonly #notify: Pick<SdNotify, "keepDescriptor" | "dropDescriptor">;
  readonly #left: Map<string, number>;

  constructor(notify: Pick<SdNotify, "keepDescriptor" | "dropDescriptor">, left: ReadonlyMap<string, number>) {
    this.#notify = notify;
    this.#left = new Map(left);
  }

  /** @returns what an earlier run left under the name, else what `open` gives, which is left to the next run */
  takeOrKeep(name: string, open: () => number): number {
    const left = this.#left.get(name);
    this.#left.delete(name);
    if (left !== undefined) return left;
    const fd = open();
    this.#notify.keepDescriptor(name, fd);
    return fd;
  }

  /** Leaves another one to the next run under a name that is taken. */
  replace(name: string, fd: number): void {
    this.#notify.dropDescriptor(name);
    this.#notify.keepDescriptor(name, fd);
  }

  /** Nobody asked for these: the settings are others now. */
  dropRest(): void {
    for (const [name, fd] of this.#left) {
      this.#notify.dropDescriptor(name);
      libc().close(fd);
    }
    this.#left.clear();
  }
}
