import { type Clock, elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { CLASS_IN, EDNS_UDP_BYTES, Flag } from "../../src/wire/dns.ts";
import { encodeQuery, type Question } from "../../src/wire/dns-message.ts";
import { type ForwardedAnswer, matchResponse, readForwardedAnswer } from "./forwarded-answer.ts";
import type { ForwardQuestion } from "./forwarder.ts";
import type { Upstream } from "./upstream.ts";
import type { UpstreamTransport } from "./upstream-transport.ts";

/** Under the five seconds after which glibc asks again. */
const DEADLINE = seconds(3.5);
/** A datagram may be lost: after this another server is asked, or the same again, and the first answer counts. */
const RETRY_AFTER = milliseconds(800);
const LEAST_TRIES = 3;

export type AskOutcome =
  | { readonly kind: "answer"; readonly found: ForwardedAnswer }
  /** silent: nobody answered; network: nobody could be reached; refused: an answer that says no. */
  | { readonly kind: "silent" | "network" | "refused" | "cancelled" };

export interface AskDeps {
  readonly clock: Clock;
  /** 32 unpredictable bits. */
  readonly randomWord: () => number;
  readonly transport: UpstreamTransport;
}

interface Attempt {
  readonly upstream: Upstream;
  readonly started: MonotonicTime;
}

/**
 * Asks servers in their order: the next one at once when one fails, and after a while when one says nothing, without
 * giving up on those already asked.
 */
export class AskUpstreams {
  readonly #question: ForwardQuestion;
  readonly #deps: AskDeps;
  readonly #queue: Upstream[];
  readonly #running = new Set<Attempt>();
  readonly #stop = new AbortController();
  readonly #outcome = Promise.withResolvers<AskOutcome>();
  #retry: { cancel(): void } | undefined;
  #failure: AskOutcome = { kind: "network" };

  /** @param upstreams not empty */
  constructor(question: ForwardQuestion, upstreams: readonly Upstream[], deps: AskDeps) {
    this.#question = question;
    this.#deps = deps;
    const rounds = Math.ceil(LEAST_TRIES / upstreams.length);
    this.#queue = Array.from({ length: rounds }, () => upstreams).flat();
  }

  async run(signal: AbortSignal): Promise<AskOutcome> {
    const cancel = () => this.#finish({ kind: "cancelled" });
    const deadline = this.#deps.clock.after(DEADLINE, () => this.#finish({ kind: "silent" }));
    signal.addEventListener("abort", cancel);
    this.#next();
    const outcome = await this.#outcome.promise;
    signal.removeEventListener("abort", cancel);
    deadline.cancel();
    this.#retry?.cancel();
    return outcome;
  }

  #next(): void {
    this.#retry?.cancel();
    const upstream = this.#queue.shift();
    if (upstream === undefined) {
      if (this.#running.size === 0) this.#finish(this.#failure);
      return;
    }
    this.#retry = this.#deps.clock.after(RETRY_AFTER, () => this.#next());
    const attempt = { upstream, started: this.#deps.clock.now() };
    this.#running.add(attempt);
    void this.#ask(upstream).then((outcome) => {
      this.#running.delete(attempt);
      if (this.#stop.signal.aborted) return;
      if (outcome.kind === "answer") {
        this.#finish(outcome);
        return;
      }
      this.#failure = outcome;
      this.#next();
    });
  }

  async #ask(upstream: Upstream): Promise<AskOutcome> {
    const { transport, randomWord } = this.#deps;
    const { name, type, dnssecOk, checkingDisabled } = this.#question;
    const question: Question = { name, type, class: CLASS_IN };
    const id = randomWord() & 0xffff;
    const exchange = {
      server: upstream.server,
      query: encodeQuery(id, question, { dnssecOk, checkingDisabled, udpBytes: EDNS_UDP_BYTES }),
      accept: (bytes: Uint8Array) => matchResponse(bytes, id, question),
      timeout: DEADLINE,
      signal: this.#stop.signal,
    };
    let answered = await transport.udp(exchange);
    if (answered.ok && (answered.value.flags & Flag.Truncated) !== 0) answered = await transport.tcp(exchange);
    if (!answered.ok) {
      if (answered.error.kind === "network") upstream.unanswered(answered.error.code);
      return { kind: answered.error.kind === "network" ? "network" : "silent" };
    }
    upstream.answered();
    const found = readForwardedAnswer(answered.value, question);
    if (found !== undefined) return { kind: "answer", found };
    // A server that says no says it again.
    for (let at = this.#queue.indexOf(upstream); at >= 0; at = this.#queue.indexOf(upstream)) this.#queue.splice(at, 1);
    return { kind: "refused" };
  }

  #finish(outcome: AskOutcome): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    for (const { upstream, started } of this.#running) {
      const waited = elapsed(started, this.#deps.clock.now());
      if (waited >= RETRY_AFTER && outcome.kind !== "cancelled") upstream.unanswered("ETIMEDOUT");
    }
    this.#outcome.resolve(outcome);
  }
}
