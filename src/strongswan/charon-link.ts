import { Backoff, type BackoffPolicy, type Random } from "../base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, type Timer } from "../base/clock.ts";
import { milliseconds, seconds } from "../base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import type { ViciSection } from "../wire/vici-message.ts";
import { ANSWER_PARTS, CharonCommands } from "./charon-commands.ts";
import { killOwnCharon } from "./stuck-charon.ts";
import type { CharonState } from "./tunnel-state.ts";
import { ViciSession } from "./vici-session.ts";

/** A charon that is back has its connections again within two seconds: its socket is tried each second at least. */
const RECONNECT: BackoffPolicy = { initial: milliseconds(100), factor: 1.5, limit: seconds(1) };
/** With the patience for an answer, a charon that hangs is noticed within five seconds. */
const HEARTBEAT = seconds(2);

/** A charon that hangs for so long is not only busy: nothing gets new keys, and where ESP is its own, nothing goes through. */
const STUCK = seconds(20);

/** What happens to SAs, and charon's own words of why. */
export const EVENTS = ["ike-updown", "ike-update", "ike-rekey", "child-updown", "child-rekey", "log"] as const;

export interface LinkListener {
  /** A new session: what charon had before may be gone. */
  onConnected(commands: CharonCommands): void;
  onEvent(name: string, message: ViciSection): void;
  /** After a change of phase, version or failure. */
  onState(state: CharonState): void;
}

/**
 * Keeps one session to charon open: connects, asks whether charon answers while nothing else does, and connects again
 * with a back-off when the session ends, whatever ended it.
 */
export class CharonLink {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #listener: LinkListener;
  #session: ViciSession | undefined;
  #timer: Timer | undefined;
  #closed = false;
  #silentSince: MonotonicTime | undefined;
  #state: CharonState = { phase: "absent", version: undefined, failure: undefined };

  /** @param path of charon's VICI socket */
  constructor(path: string, clock: Clock, random: Random, scope: Scope, listener: LinkListener) {
    this.#path = path;
    this.#clock = clock;
    this.#backoff = new Backoff(RECONNECT, random);
    this.#listener = listener;
    scope.onClose("link to charon", () => {
      this.#closed = true;
      this.#timer?.cancel();
      this.#session?.close();
    });
    void this.#connect();
  }

  get state(): CharonState {
    return this.#state;
  }

  async #connect(): Promise<void> {
    try {
      const session = await ViciSession.open(this.#path, this.#clock, (name, message) =>
        this.#listener.onEvent(name, message),
      );
      this.#session = session;
      void session.closed.then((reason) => this.#lost(reason));
      if (this.#closed) return session.close();
      for (const event of [...ANSWER_PARTS, ...EVENTS]) await session.subscribe(event);
      const commands = new CharonCommands(session);
      this.#silentSince = undefined;
      this.#become({ phase: "connected", version: await commands.version(), failure: undefined });
      this.#beat(commands);
      this.#listener.onConnected(commands);
    } catch (error) {
      // A session that ends is reported by its end.
      if (this.#session === undefined) this.#lost(error);
      else this.#session.close();
    }
  }

  #beat(commands: CharonCommands): void {
    this.#timer = this.#clock.after(HEARTBEAT, async () => {
      try {
        await commands.version();
      } catch {
        // The session is over, and that is seen to elsewhere.
        return;
      }
      // Who only makes no sense later on is not asked in ever quicker a succession.
      this.#backoff.reset();
      this.#beat(commands);
    });
  }

  #lost(reason: unknown): void {
    this.#session = undefined;
    this.#timer?.cancel();
    if (this.#closed) return;
    const isAbsent = errorCode(reason) === "CHARON_ABSENT";
    if (!isAbsent) this.#silentSince ??= this.#clock.now();
    const phase = isAbsent && this.#silentSince === undefined ? "absent" : "silent";
    const why = reason instanceof SelvedgeError ? reason.message : errorText(reason);
    const failure = this.#endWhenStuck() ? `${why}; it was killed, for its service to start it again` : why;
    this.#become({ phase, version: this.#state.version, failure });
    this.#timer = this.#clock.after(this.#backoff.next(), () => void this.#connect());
  }

  /**
   * When nothing has been answered for so long. Meanwhile the queue of callers, whom a charon that hangs does not accept,
   * fills up, and the kernel refuses the next one as if nobody were there: only an answer ends the silence.
   */
  #endWhenStuck(): boolean {
    const now = this.#clock.now();
    if (this.#silentSince === undefined || elapsed(this.#silentSince, now) < STUCK) return false;
    this.#silentSince = now;
    return killOwnCharon();
  }

  #become(state: CharonState): void {
    if (Bun.deepEquals(state, this.#state)) return;
    this.#state = state;
    this.#listener.onState(state);
  }
}
