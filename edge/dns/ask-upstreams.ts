import type { Clock, Timer } from "../../src/base/clock.ts";
import { type Duration, milliseconds, seconds } from "../../src/base/duration.ts";
import { CLASS_IN, EDNS_UDP_BYTES, Flag } from "../../src/wire/dns.ts";
import { encodeQuery, type Question } from "../../src/wire/dns-message.ts";
import { type ForwardedAnswer, matchResponse, readForwardedAnswer, refusesEdns } from "./forwarded-answer.ts";
import type { ForwardQuestion } from "./forwarder.ts";
import type { Upstream } from "./upstream.ts";
import type { Exchange, UpstreamTransport } from "./upstream-transport.ts";

/** Under the five seconds after which glibc asks again. */
const DEADLINE = seconds(3.5);
/** A datagram may be lost: after this another server is asked, or the same again, and the first answer counts. */
const RETRY_AFTER = milliseconds(800);
const LEAST_TRIES = 3;
/** For servers that are down: one may be back already, but nobody waits long for that. */
const DOWN_DEADLINE = milliseconds(800);

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

/**
 * Asks servers in their order: the next one at once when one fails, and after a while when one says nothing, without
 * giving up on those already asked. Servers that are down are asked all at once.
 */
export class AskUpstreams {
  readonly #question: ForwardQuestion;
  readonly #deps: AskDeps;
  readonly #queue: Upstream[];
  readonly #deadline: Duration;
  readonly #atOnce: number;
  #running = 0;
  readonly #stop = new AbortController();
  readonly #outcome = Promise.withResolvers<AskOutcome>();
  #retry: Timer | undefined;
  #failure: AskOutcome = { kind: "network" };

  /** @param upstreams not empty, and all of one state */
  constructor(question: ForwardQuestion, upstreams: readonly Upstream[], deps: AskDeps) {
    this.#question = question;
    this.#deps = deps;
    const rounds = Math.ceil(LEAST_TRIES / upstreams.length);
    this.#queue = Array.from({ length: rounds }, () => upstreams).flat();
    const isUp = upstreams[0]?.state === "up";
    this.#deadline = isUp ? DEADLINE : DOWN_DEADLINE;
    this.#atOnce = isUp ? 1 : upstreams.length;
  }

  async run(signal: AbortSignal): Promise<AskOutcome> {
    const cancel = () => this.#finish({ kind: "cancelled" });
    const deadline = this.#deps.clock.after(this.#deadline, () => this.#finish({ kind: "silent" }));
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    for (let i = 0; i < this.#atOnce && !signal.aborted; i++) this.#next();
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
      if (this.#running === 0) this.#finish(this.#failure);
      return;
    }
    this.#retry = this.#deps.clock.after(RETRY_AFTER, () => {
      upstream.silent();
      this.#next();
    });
    this.#running += 1;
    void this.#ask(upstream).then((outcome) => {
      this.#running -= 1;
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
    const { transport } = this.#deps;
    const { name, type } = this.#question;
    const question: Question = { name, type, class: CLASS_IN };
    let exchange = this.#exchange(upstream, question, EDNS_UDP_BYTES);
    let overUdp = await transport.udp(exchange);
    if (overUdp.ok && refusesEdns(overUdp.value)) {
      exchange = this.#exchange(upstream, question, undefined);
      overUdp = await transport.udp(exchange);
    }
    if (!overUdp.ok) {
      if (overUdp.error.kind === "network") upstream.unanswered(overUdp.error.code);
      return { kind: overUdp.error.kind === "network" ? "network" : "silent" };
    }
    // It is there, also where a firewall lets no TCP through.
    upstream.answered();
    const truncated = (overUdp.value.flags & Flag.Truncated) !== 0;
    const answered = truncated ? await transport.tcp(exchange) : overUdp;
    if (!answered.ok) return { kind: answered.error.kind === "network" ? "network" : "silent" };
    const found = readForwardedAnswer(answered.value, question);
    if (found !== undefined) return { kind: "answer", found };
    // A server that says no says it again.
    for (let at = this.#queue.indexOf(upstream); at >= 0; at = this.#queue.indexOf(upstream)) this.#queue.splice(at, 1);
    return { kind: "refused" };
  }

  #exchange({ server }: Upstream, question: Question, udpBytes: number | undefined): Exchange {
    const { dnssecOk, checkingDisabled } = this.#question;
    const id = this.#deps.randomWord() & 0xffff;
    return {
      server,
      query: encodeQuery(id, question, { dnssecOk, checkingDisabled, udpBytes }),
      accept: (bytes) => matchResponse(bytes, id, question),
      timeout: DEADLINE,
      signal: this.#stop.signal,
    };
  }

  #finish(outcome: AskOutcome): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#outcome.resolve(outcome);
  }
}
