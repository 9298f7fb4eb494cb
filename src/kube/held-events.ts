import { LIST_ITEMS_MAX, type ListResult } from "./list.ts";
import type { ListWatchEvent } from "./list-watch-event.ts";
import { compareResourceVersions } from "./resource-version.ts";
import { badResponse } from "./status.ts";

/** An event for each object of the longest list, while that list is under way. */
export const HELD_EVENTS_MAX = LIST_ITEMS_MAX;

/**
 * Passes a watch's events on, except while a list is under way: a list is what was when it was asked for, so what comes
 * meanwhile is told after it.
 */
export class HeldEvents<T> {
  readonly #emit: (event: ListWatchEvent<T>) => void;
  #events: ListWatchEvent<T>[] | undefined;

  constructor(emit: (event: ListWatchEvent<T>) => void) {
    this.#emit = emit;
  }

  /** Throws a SelvedgeError when more is held than a list can hold. */
  take(event: ListWatchEvent<T>): void {
    if (this.#events === undefined) {
      this.#emit(event);
      return;
    }
    if (this.#events.length >= HELD_EVENTS_MAX)
      throw badResponse("watch", `more than ${HELD_EVENTS_MAX} events during a list`);
    this.#events.push(event);
  }

  hold(): void {
    this.#events = [];
  }

  /** @param list what was under way; undefined where it failed */
  release(list: ListResult<T> | undefined): void {
    const events = this.#events ?? [];
    this.#events = undefined;
    for (const event of events) if (list === undefined || !isOvertaken(event, list)) this.#emit(event);
  }
}

/**
 * Whether the list knew of it already: an object as it was before that list may be one that was deleted before it. A
 * deletion may carry the version of when its object was last stored, and says nothing wrong where the list had it too.
 */
function isOvertaken<T>(event: ListWatchEvent<T>, list: ListResult<T>): boolean {
  if (event.type !== "upsert" || !list.authoritative || list.resourceVersion === undefined) return false;
  const order = compareResourceVersions(event.object.resourceVersion, list.resourceVersion);
  return order !== undefined && order <= 0;
}
