import type { Clock } from "../base/clock.ts";
import { errorCode } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import { type EventDescription, EventSeries, type EventStep, type ObjectReference } from "./event-series.ts";
import { formatMicroTime } from "./lease.ts";
import { EVENTS } from "./resource.ts";
import type { KubeWriter } from "./writer.ts";

export interface EventRecorderOptions {
  readonly writer: KubeWriter;
  /** The program: "selvedge.io/operator". */
  readonly controller: string;
  /** This process of it. */
  readonly instance: string;
  readonly clock: Clock;
  /** Unlike any other's of this process and of others: it ends the Event's name. */
  readonly newSuffix: () => string;
  readonly onFailure: (error: unknown) => void;
}

/** events.k8s.io/v1 validation. */
const NOTE_BYTES_MAX = 1024;
/** Events that wait to be written: while a server is away, the oldest are what people want to see. */
const WAITING_MAX = 1000;
/** Events of objects without a namespace live here, as those of Nodes do. */
const CLUSTER_NAMESPACE = "default";
/** RFC 1123 subdomain, less the suffix. */
const NAME_LENGTH_MAX = 200;

/** An Event whose hour is over, or one that was made although its answer got lost. */
const SETTLED = ["KUBE_NOT_FOUND", "KUBE_CONFLICT"];

interface Waiting {
  readonly event: EventDescription;
  readonly step: EventStep;
  readonly wall: number;
}

/**
 * Tells people about changes of state, by events.k8s.io/v1. It is told in passing: nobody waits for it, one request goes at
 * a time, each is tried once, and what repeats is one Event with a count.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series: EventSeries;
  readonly #waiting: Waiting[] = [];
  readonly #signal: AbortSignal;
  #writing: Promise<void> | undefined;

  constructor(options: EventRecorderOptions, scope: Scope) {
    this.#options = options;
    this.#signal = scope.signal;
    const newName = ({ name }: ObjectReference) => `${name.slice(0, NAME_LENGTH_MAX)}.${options.newSuffix()}`;
    this.#series = new EventSeries(newName, options.clock.now());
    scope.onClose("events", () => this.#writing);
  }

  /** Occurrences that no Event tells of, as there were too many. */
  get dropped(): number {
    return this.#series.dropped;
  }

  record(event: EventDescription): void {
    const { clock } = this.#options;
    const step = this.#series.record(event, clock.now());
    if (step.kind === "nothing" || this.#waiting.length >= WAITING_MAX || this.#signal.aborted) return;
    this.#waiting.push({ event, step, wall: clock.wall() });
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#write(next);
      } catch (error) {
        // A count without its Event is of no use; the next occurrence makes a new one.
        this.#series.forget(next.event);
        const ended = this.#signal.aborted || SETTLED.includes(errorCode(error));
        if (!ended) this.#options.onFailure(error);
      }
    }
  }

  async #write({ event, step, wall }: Waiting): Promise<void> {
    const { writer, controller, instance } = this.#options;
    const { regarding, type, reason, action, note } = event;
    const namespace = regarding.namespace ?? CLUSTER_NAMESPACE;
    const time = formatMicroTime(wall);
    if (step.kind === "create") {
      const body = {
        metadata: { namespace, name: step.name },
        eventTime: time,
        reportingController: controller,
        reportingInstance: instance,
        regarding,
        type,
        reason,
        action,
        note: cutBytes(note, NOTE_BYTES_MAX),
      };
      await writer.create(EVENTS, body, this.#signal);
    } else if (step.kind === "count") {
      const series = { count: step.count, lastObservedTime: time };
      await writer.merge(EVENTS, { namespace, name: step.name }, { series }, this.#signal);
    }
  }
}

/** Whole characters, of at most so many bytes of UTF-8. */
function cutBytes(text: string, most: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= most) return text;
  return new TextDecoder().decode(bytes.subarray(0, most), { stream: true });
}
