import { Backoff, type BackoffPolicy, type Random } from "../../src/base/backoff.ts";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import type { UpstreamAddress } from "./upstream-transport.ts";

/** One lost datagram is nothing; two failures in a row are a server that is away. */
const FAILURES_TO_DOWN = 2;
/** A link that comes back is noticed within ten seconds, and a dead server costs one datagram in that time. */
const PROBE_BACKOFF: BackoffPolicy = { initial: seconds(0.5), factor: 2, limit: seconds(10) };
/** A loop is somebody's configuration: it changes rarely. */
const LOOP_RECHECK = minutes(1);

export type UpstreamState = "up" | "down" | "loop";

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: () => void;
}

/** A server that names are forwarded to, and whether it is worth waiting for. A bad one is probed until it is not. */
export class Upstream {
  readonly server: UpstreamAddress;
  readonly #deps: UpstreamDeps;
  readonly #probe: (upstream: Upstream) => void;
  readonly #backoff: Backoff;
  #state: UpstreamState = "up";
  #failures = 0;
  #lastFailure: string | undefined;
  #timer: Timer | undefined;

  /** @param probe sends a question of no importance, and reports through `recovered`, `unanswered` or `looped` */
  constructor(server: UpstreamAddress, deps: UpstreamDeps, probe: (upstream: Upstream) => void) {
    this.server = server;
    this.#deps = deps;
    this.#probe = probe;
    this.#backoff = new Backoff(PROBE_BACKOFF, deps.random);
  }

  get state(): UpstreamState {
    return this.#state;
  }

  /** The code of the last failure since it last answered. */
  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** A question was answered: in a loop perhaps by somebody else behind it, so that only a probe ends that. */
  answered(): void {
    if (this.#state !== "loop") this.recovered();
  }

  /** A probe was answered, and did not come back to us. */
  recovered(): void {
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#backoff.reset();
    this.#timer?.cancel();
    this.#change("up");
  }

  /**
   * A question waits long. That may be the fault of its name, whose own servers are away: anybody can ask for such
   * names, so this proves nothing, and a probe has to tell.
   */
  silent(): void {
    if (this.#state !== "up") return;
    this.#failures = Math.max(1, this.#failures);
    this.#probe(this);
  }

  /** A probe got no answer, or a question could not even be sent. */
  unanswered(code: string): void {
    this.#failures += 1;
    this.#lastFailure = code;
    if (this.#state === "up" && this.#failures >= FAILURES_TO_DOWN) this.#change("down");
  }

  /** Our own question came back to us through it. */
  looped(): void {
    this.#lastFailure = "ELOOP";
    this.#change("loop");
  }

  /** A probe ended. While something is wrong, there is a next one. */
  probeLater(): void {
    if (this.#state === "up" && this.#failures === 0) return;
    this.#timer?.cancel();
    const delay = this.#state === "loop" ? LOOP_RECHECK : this.#backoff.next();
    this.#timer = this.#deps.clock.after(delay, () => this.#probe(this));
  }

  close(): void {
    this.#timer?.cancel();
  }

  #change(state: UpstreamState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#timer?.cancel();
    this.probeLater();
    this.#deps.onChange();
  }
}
