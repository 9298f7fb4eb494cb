import type { BackoffPolicy, Random } from "../base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, type Timer } from "../base/clock.ts";
import { type Duration, milliseconds, minutes } from "../base/duration.ts";
import { SelvedgeError } from "../base/errors.ts";
import type { Histogram, Metrics } from "../base/metrics.ts";
import type { Scope } from "../base/scope.ts";
import { type Rate, TokenBucket } from "../base/token-bucket.ts";
import { Gate } from "./gate.ts";
import { KeyQueue, type Lane } from "./key-queue.ts";

export interface WorkQueueOptions<Key> {
  /** Does whatever the key needs now. A failure brings the key back after its back-off. */
  readonly work: (key: Key) => Promise<void>;
  /** Whether a failure is the server's as a whole, so that everything else waits too. */
  readonly isOutage: (error: unknown) => boolean;
  readonly onFailure: (key: Key, error: unknown, retryIn: Duration) => void;
  /** Keys that are worked on at the same time. */
  readonly workers: number;
  readonly rate: Rate;
  readonly clock: Clock;
  readonly random: Random;
}

/** One key that keeps failing: quickly again at first, for what heals by itself, then once in five minutes. */
export const KEY_POLICY: BackoffPolicy = { initial: milliseconds(250), factor: 2, limit: minutes(5) };

/** client-go's buckets: 10 ns to 10 s there; a millisecond is short enough here. */
const BUCKETS = [0.001, 0.01, 0.05, 0.1, 0.3, 1, 3, 10, 60];

/**
 * Works keys off: each once however often it is added, a failed one after a back-off of its own, all of them bounded in
 * number at a time and in rate. It stands still until `resume`.
 */
export class WorkQueue<Key> {
  readonly #options: WorkQueueOptions<Key>;
  readonly #queue: KeyQueue<Key>;
  readonly #gate: Gate;
  readonly #bucket: TokenBucket;
  readonly #startedAt = new Map<Key, MonotonicTime>();
  readonly #running = new Set<Promise<void>>();
  #queueSeconds: Histogram | undefined;
  #workSeconds: Histogram | undefined;
  #added = 0;
  #retried = 0;
  #paused = true;
  /** The next look at the queue, where nobody looks sooner. */
  #wake: { readonly at: MonotonicTime; readonly timer: Timer } | undefined;

  constructor(options: WorkQueueOptions<Key>, scope: Scope) {
    const { clock, random } = options;
    this.#options = options;
    this.#queue = new KeyQueue(KEY_POLICY, random);
    this.#gate = new Gate(random);
    this.#bucket = new TokenBucket(options.rate, clock.now());
    scope.onClose("work queue", () => this.pause());
  }

  get depth(): number {
    return this.#queue.depth;
  }

  /** Nothing is ready, waits for its time or is being worked on. */
  get idle(): boolean {
    return this.#queue.depth + this.#queue.delayed + this.#queue.working === 0;
  }

  add(key: Key, lane: Lane = "change"): void {
    if (this.#queue.add(key, lane, this.#options.clock.now())) this.#added += 1;
    this.#pump();
  }

  addAfter(key: Key, delay: Duration): void {
    this.#queue.addAt(key, (this.#options.clock.now() + delay) as MonotonicTime);
    this.#pump();
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  /** Takes no more keys; they stay. @returns when nothing is being worked on any more */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#wake?.timer.cancel();
    this.#wake = undefined;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** The names of Kubernetes' own work queues, behind the program's prefix. */
  register(metrics: Metrics): void {
    const started = () => [...this.#startedAt.values()].map((at) => elapsed(at, this.#options.clock.now()) / 1000);
    metrics.gauge("workqueue_depth", "Keys that are ready to be worked on.", () => this.#queue.depth);
    metrics.gauge("workqueue_delayed", "Keys that wait for a back-off or a time.", () => this.#queue.delayed);
    metrics.counterOf("workqueue_adds_total", "Keys added, those left out that were there.", () => this.#added);
    metrics.counterOf("workqueue_retries_total", "Keys that failed and come again.", () => this.#retried);
    metrics.gauge("workqueue_unfinished_work_seconds", "Time spent on what is being worked on.", () =>
      started().reduce((sum, each) => sum + each, 0),
    );
    metrics.gauge("workqueue_longest_running_processor_seconds", "The longest of it.", () => Math.max(0, ...started()));
    this.#queueSeconds = metrics.histogram("workqueue_queue_duration_seconds", "How long keys were ready.", BUCKETS);
    this.#workSeconds = metrics.histogram("workqueue_work_duration_seconds", "How long keys took.", BUCKETS);
  }

  #pump(): void {
    const { clock, workers } = this.#options;
    while (!this.#paused) {
      const now = clock.now();
      const ready = this.#queue.readyAt(now);
      const width = this.#gate.width(now, workers);
      // The end of what runs pumps again.
      if (ready === undefined || (width > 0 && this.#running.size >= width)) return;
      const gate = width === 0 ? (this.#gate.opensAt ?? now) : now;
      const at = Math.max(ready, gate, this.#bucket.readyAt(now));
      if (at > now) {
        this.#wakeAt(at, now);
        return;
      }
      const taken = this.#queue.take(now);
      if (taken === undefined) return;
      this.#bucket.take(now);
      this.#queueSeconds?.observe(taken.waited / 1000);
      this.#start(taken.key);
    }
  }

  /** Ten thousand keys that come at once are not as many timers. */
  #wakeAt(at: number, now: MonotonicTime): void {
    if (this.#wake !== undefined && this.#wake.at <= at) return;
    this.#wake?.timer.cancel();
    const timer = this.#options.clock.after(milliseconds(at - now), () => {
      this.#wake = undefined;
      this.#pump();
    });
    this.#wake = { at: at as MonotonicTime, timer };
  }

  #start(key: Key): void {
    const running = this.#work(key).finally(() => {
      this.#running.delete(running);
      this.#pump();
    });
    this.#running.add(running);
  }

  async #work(key: Key): Promise<void> {
    const { clock, work, isOutage, onFailure } = this.#options;
    const startedAt = clock.now();
    this.#startedAt.set(key, startedAt);
    try {
      await work(key);
      this.#gate.open(startedAt);
      this.#queue.succeed(key, clock.now());
    } catch (error) {
      const now = clock.now();
      const after = error instanceof SelvedgeError ? error.after : undefined;
      if (isOutage(error)) this.#gate.close(startedAt, now, after);
      else this.#gate.open(startedAt);
      this.#retried += 1;
      onFailure(key, error, this.#queue.fail(key, now, after));
    } finally {
      this.#startedAt.delete(key);
      this.#workSeconds?.observe(elapsed(startedAt, clock.now()) / 1000);
    }
  }
}
