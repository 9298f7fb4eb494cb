import type { Counter, Histogram, Metrics } from "../../src/base/metrics.ts";
import { formatRcode } from "../../src/wire/dns.ts";
import type { AnswerSource } from "./resolver.ts";

const SOURCES: readonly AnswerSource[] = ["cluster", "cache", "stale", "upstream", "error"];
const RCODES = 32;
/** From a table look-up to the forwarder's deadline. */
const SECONDS_BOUNDS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5];

/** Why a packet got no answer: bounded, as it is a label. */
export type DropReason = "foreign" | "response" | "connections" | "send";

/** What the server counts: plain numbers on the hot path, made into labels when somebody looks. */
export class QueryCounts {
  readonly #byRcodeAndSource = new Float64Array(RCODES * SOURCES.length);
  readonly #dropped: Counter;
  readonly #seconds: Histogram;

  constructor(metrics: Metrics) {
    metrics.counterOf("dns_requests_total", "DNS queries answered, by response code and origin of the answer.", () =>
      this.#samples(),
    );
    this.#dropped = metrics.counter("dns_dropped_total", "DNS packets that got no answer, by reason.");
    this.#seconds = metrics.histogram("dns_request_seconds", "Time from query to answer.", SECONDS_BOUNDS);
  }

  answered(rcode: number, source: AnswerSource): void {
    const at = (rcode % RCODES) * SOURCES.length + SOURCES.indexOf(source);
    this.#byRcodeAndSource[at] = (this.#byRcodeAndSource[at] ?? 0) + 1;
  }

  dropped(reason: DropReason, count = 1): void {
    this.#dropped.add(count, { reason });
  }

  took(seconds: number, count = 1): void {
    this.#seconds.observe(seconds, count);
  }

  #samples(): [Record<string, string>, number][] {
    const samples: [Record<string, string>, number][] = [];
    for (const [at, count] of this.#byRcodeAndSource.entries()) {
      const source = SOURCES[at % SOURCES.length] ?? "error";
      if (count > 0) samples.push([{ rcode: formatRcode(Math.floor(at / SOURCES.length)), source }, count]);
    }
    return samples;
  }
}
