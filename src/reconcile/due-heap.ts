import type { MonotonicTime } from "../base/clock.ts";

interface Due<Key> {
  readonly key: Key;
  readonly at: MonotonicTime;
  /** Of the same time, the one that was set first. */
  readonly order: number;
}

/** What was changed or deleted since stays in the heap until it comes up, or until there is more of it than of the rest. */
const STALE_MAX = 64;

/** Keys with a time each, the earliest first: a binary heap. */
export class DueHeap<Key> {
  #heap: Due<Key>[] = [];
  #order = 0;
  readonly #current = new Map<Key, Due<Key>>();

  get size(): number {
    return this.#current.size;
  }

  get nextAt(): MonotonicTime | undefined {
    this.#dropStale();
    return this.#heap[0]?.at;
  }

  dueAt(key: Key): MonotonicTime | undefined {
    return this.#current.get(key)?.at;
  }

  set(key: Key, at: MonotonicTime): void {
    const due = { key, at, order: this.#order++ };
    this.#current.set(key, due);
    // A sorted array is a heap.
    if (this.#heap.length > 2 * this.#current.size + STALE_MAX) this.#heap = [...this.#current.values()].sort(compare);
    else this.#push(due);
  }

  delete(key: Key): void {
    this.#current.delete(key);
  }

  /** The earliest key whose time has come. */
  takeDue(now: MonotonicTime): Due<Key> | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#current.delete(first.key);
    this.#pop();
    return first;
  }

  #push(due: Due<Key>): void {
    this.#heap.push(due);
    let child = this.#heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#current.get(first.key) === first) return;
      this.#pop();
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let parent = 0;
    for (;;) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      let least = parent;
      if (left < this.#heap.length && this.#isBefore(left, least)) least = left;
      if (right < this.#heap.length && this.#isBefore(right, least)) least = right;
      if (least === parent) return;
      this.#swap(parent, least);
      parent = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    return left !== undefined && right !== undefined && compare(left, right) < 0;
  }

  #swap(a: number, b: number): void {
    const [left, right] = [this.#heap[a], this.#heap[b]];
    if (left === undefined || right === undefined) return;
    this.#heap[a] = right;
    this.#heap[b] = left;
  }
}

function compare(a: Due<unknown>, b: Due<unknown>): number {
  return a.at - b.at || a.order - b.order;
}
