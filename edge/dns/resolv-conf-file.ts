import type { Clock, Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Scope } from "../../src/base/scope.ts";
import { MAX_RESOLV_CONF_BYTES } from "./resolv-conf.ts";

/** A node that roams gets another file with each network; reading it costs nothing. */
const READ_EVERY = seconds(5);

/** Follows a resolv.conf by reading it again: DHCP clients replace the file, so that watching it would lose it. */
export class ResolvConfFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onText: (text: string) => void;
  #text: string | undefined;
  #timer: Timer | undefined;

  /** @param onText called with the contents at first and on each change; a file that is missing is empty */
  constructor(path: string, clock: Clock, scope: Scope, onText: (text: string) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#signal = scope.signal;
    this.#onText = onText;
    scope.onClose("resolv.conf", () => this.#timer?.cancel());
  }

  async read(): Promise<void> {
    const text = await Bun.file(this.#path)
      .slice(0, MAX_RESOLV_CONF_BYTES)
      .text()
      .catch(() => "");
    if (this.#signal.aborted) return;
    this.#timer = this.#clock.after(READ_EVERY, () => void this.read());
    if (text === this.#text) return;
    this.#text = text;
    this.#onText(text);
  }
}
