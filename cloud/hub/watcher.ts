import type { Clock, Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import { formatBookmark, watchLine } from "./answer.ts";
import type { HubEvent } from "./plan.ts";
import type { HubRequest } from "./request.ts";

/** Half of what our own clients and client-go take for a sign of life. */
const BOOKMARK_EVERY = seconds(45);
/** What a watcher may leave unread before it has to begin again with a list. */
export const UNREAD_BYTES_MAX = 8 * 1024 * 1024;

type WatchRequest = Extract<HubRequest, { kind: "watch" }>;

/** One open watch: a body that grows by a line for each event until it ends. */
export class Watcher {
  readonly body: ReadableStream<Uint8Array>;
  readonly #request: WatchRequest;
  readonly #clock: Clock;
  readonly #version: () => number;
  readonly #onEnd: () => void;
  readonly #timeout: Timer;
  #bookmark: Timer | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  /**
   * @param first lines to begin with
   * @param version the version of the moment, for bookmarks
   */
  constructor(
    request: WatchRequest,
    first: readonly string[],
    clock: Clock,
    version: () => number,
    onEnd: (watcher: Watcher) => void,
  ) {
    this.#request = request;
    this.#clock = clock;
    this.#version = version;
    this.#onEnd = () => onEnd(this);
    this.#timeout = clock.after(seconds(request.timeoutSeconds), () => this.end());
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#stop(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: UNREAD_BYTES_MAX }),
    );
    // The runtime sends headers with the first bytes, and a client has to see that its watch is open: a blank line,
    // which every reader of JSON passes over.
    this.#send(first.length > 0 ? first.join("") : "\n");
    if (request.bookmarks) this.#scheduleBookmark();
  }

  tell(event: HubEvent): void {
    const line = watchLine(event, this.#request.resource, this.#request.selects);
    if (line !== undefined) this.#send(line);
  }

  end(): void {
    const controller = this.#controller;
    this.#stop();
    controller?.close();
  }

  #send(line: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(line));
    if ((this.#controller?.desiredSize ?? 0) < 0) this.end();
  }

  #scheduleBookmark(): void {
    this.#bookmark = this.#clock.after(BOOKMARK_EVERY, () => {
      this.#send(formatBookmark(this.#request.resource, this.#version()));
      if (this.#controller !== undefined) this.#scheduleBookmark();
    });
  }

  #stop(): void {
    this.#controller = undefined;
    this.#timeout.cancel();
    this.#bookmark?.cancel();
    this.#onEnd();
  }
}
