import type { MonotonicTime } from "../base/clock.ts";
import { minutes } from "../base/duration.ts";
import { type Rate, TokenBucket } from "../base/token-bucket.ts";

/** The object that an Event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** What a person reads in `kubectl describe`. */
export interface EventDescription {
  readonly regarding: ObjectReference;
  readonly type: "Normal" | "Warning";
  /** Why, in one CamelCase word: "SubnetConflict". */
  readonly reason: string;
  /** What was done or attempted, in one CamelCase word: "Plan". */
  readonly action: string;
  readonly note: string;
}

/** An Event that is being repeated. */
interface Series {
  /** The Event's name. */
  readonly name: string;
  count: number;
  /** What the Event says; more than it since the last write. */
  writtenCount: number;
  writtenAt: MonotonicTime;
  lastAt: MonotonicTime;
}

/** What has to be written for one occurrence. */
export type EventStep =
  | { readonly kind: "create"; readonly name: string }
  | { readonly kind: "count"; readonly name: string; readonly count: number }
  /** It is counted with a later one, or is one too many. */
  | { readonly kind: "nothing" };

/** Repeats within it are one Event with a count (client-go's finish time of a series). */
const SERIES_GAP = minutes(6);
/** The count is written so often at most. */
const COUNT_PERIOD = minutes(1);
/** Series that are remembered; the one that was quiet for longest goes first. A minute of a fleet's trouble fits. */
const SERIES_MAX = 4096;
/** One object's new Events: a state that flaps with ever new words is told in part (client-go's spam filter). */
const OBJECT_RATE: Rate = { perSecond: 1 / 30, burst: 10 };
/** All Events of one process. etcd holds them for an hour: so 36,000 of them at most. */
const PROCESS_RATE: Rate = { perSecond: 10, burst: 100 };

const NOTHING: EventStep = { kind: "nothing" };

/** Which occurrences become Events: equal ones are a series, and there is a bound on all that are new. */
export class EventSeries {
  readonly #newName: (of: ObjectReference) => string;
  /** In the order of their last occurrence. */
  readonly #series = new Map<string, Series>();
  readonly #objects = new Map<string, TokenBucket>();
  readonly #process: TokenBucket;
  #dropped = 0;

  constructor(newName: (of: ObjectReference) => string, now: MonotonicTime) {
    this.#newName = newName;
    this.#process = new TokenBucket(PROCESS_RATE, now);
  }

  /** Occurrences that were one too many. */
  get dropped(): number {
    return this.#dropped;
  }

  record(event: EventDescription, now: MonotonicTime): EventStep {
    const key = keyOf(event);
    const series = this.#series.get(key);
    this.#series.delete(key);
    if (series !== undefined && now - series.lastAt < SERIES_GAP) {
      series.count += 1;
      series.lastAt = now;
      this.#series.set(key, series);
      // The first repeat shows at once that it is one.
      const due = series.writtenCount === 1 || now - series.writtenAt >= COUNT_PERIOD;
      return due ? this.#count(series, now) : NOTHING;
    }
    if (!this.#admits(event.regarding, now)) {
      this.#dropped += 1;
      return NOTHING;
    }
    const name = this.#newName(event.regarding);
    this.#series.set(key, { name, count: 1, writtenCount: 1, writtenAt: now, lastAt: now });
    trim(this.#series, SERIES_MAX);
    return { kind: "create", name };
  }

  /** The Event is no longer there (its hour is over, or somebody deleted it): the next occurrence is a new one. */
  forget(event: EventDescription): void {
    this.#series.delete(keyOf(event));
  }

  #count(series: Series, now: MonotonicTime): EventStep {
    series.writtenCount = series.count;
    series.writtenAt = now;
    return { kind: "count", name: series.name, count: series.count };
  }

  #admits(object: ObjectReference, now: MonotonicTime): boolean {
    const key = objectKey(object);
    const bucket = this.#objects.get(key) ?? new TokenBucket(OBJECT_RATE, now);
    this.#objects.delete(key);
    this.#objects.set(key, bucket);
    trim(this.#objects, SERIES_MAX);
    return bucket.take(now) && this.#process.take(now);
  }
}

function keyOf({ regarding, type, reason, action, note }: EventDescription): string {
  return JSON.stringify([objectKey(regarding), type, reason, action, note]);
}

function objectKey({ apiVersion, kind, namespace = "", name, uid = "" }: ObjectReference): string {
  return JSON.stringify([apiVersion, kind, namespace, name, uid]);
}

/** Maps keep the order of insertion. */
function trim(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
