import { edenGC, fullGC, heapSize } from "bun:jsc";

/**
 * Parsing or printing an object leaves ten times its size behind, and the heap does not shrink again: the young of it
 * are collected on the way. 10,000 services take 70 MB and not 93 MB, an operator of 10,000 nodes 250 MB and not 360 MB.
 */
const OBJECTS_A_COLLECTION = 256;
/** Of text: the ConfigMap of a node with fifty peers is as long as twenty services. */
const BYTES_A_COLLECTION = 512 * 1024;
/**
 * What is under way during such a collection is no longer young after it, and by itself JavaScriptCore looks at what is
 * old only when there is twice as much of it.
 */
const GROWTH_MAX = 8 * 1024 * 1024;

/** Counts what is parsed or printed one after the other. */
export class YoungGarbage {
  #count = 0;
  #bytes = 0;
  #leastHeap = heapSize();

  /** One more object has been dealt with. @param textBytes how long its text is, where it is not short */
  add(textBytes = 0): void {
    this.#count += 1;
    this.#bytes += textBytes;
    if (this.#count < OBJECTS_A_COLLECTION && this.#bytes < BYTES_A_COLLECTION) return;
    this.#count = 0;
    this.#bytes = 0;
    edenGC();
    this.#leastHeap = Math.min(this.#leastHeap, heapSize());
    if (heapSize() - this.#leastHeap < GROWTH_MAX) return;
    fullGC();
    this.#leastHeap = heapSize();
  }
}
