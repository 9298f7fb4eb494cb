import type { Random } from "../base/backoff.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { milliseconds, seconds } from "../base/duration.ts";
import type { SelvedgeError } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import type { ObjectKey } from "../network/service.ts";
import type { KubeClient } from "./client.ts";
import { ListWatch } from "./list-watch.ts";
import type { ListWatchEvent, Rejected } from "./list-watch-event.ts";
import type { ObjectDecoder } from "./object-reader.ts";
import { ObjectStore, type StoreChange } from "./object-store.ts";
import type { Recovery } from "./recovery.ts";
import type { Resource, Selection } from "./resource.ts";

/** How soon a list that deletes suspiciously much is asked for again. */
export const CONFIRM_AFTER = seconds(10);
/** Programs of the cloud are few beside their API server. */
const SPREAD = milliseconds(0);

export interface InformerOptions<T> extends Selection {
  readonly client: KubeClient;
  readonly decoder: ObjectDecoder<T>;
  /** Whether two values mean the same; deep equality unless told. */
  readonly same?: (a: T, b: T) => boolean;
  /** What one event changed, never empty; a list's changes come together. Must not throw. */
  readonly onChange: (changes: readonly StoreChange<T>[]) => void;
  /** After anything else that {@link InformerStatus} shows has changed: synced, connected, held, rejected. */
  readonly onStatus: () => void;
  /** Of all that follow that API server. */
  readonly recovery?: Recovery;
  readonly clock: Clock;
  readonly random: Random;
}

export interface InformerStatus {
  readonly kind: string;
  readonly objectCount: number;
  /** Whether a list has been taken whole: before, nothing may be concluded from what is absent. */
  readonly synced: boolean;
  readonly connected: boolean;
  /** Why not, once it has been tried. */
  readonly error: SelvedgeError | undefined;
  readonly heldDeletions: number;
  readonly rejected: ReadonlyMap<ObjectKey, Rejected>;
}

/** A list–watch of an API server and the store that it fills. */
export class Informer<T> {
  readonly store: ObjectStore<T>;
  readonly #options: InformerOptions<T>;
  readonly #listWatch: ListWatch<T>;
  #connected = false;
  #error: SelvedgeError | undefined;
  #confirming: Timer | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.store = new ObjectStore(options.same);
    this.#listWatch = new ListWatch({
      ...options,
      source: "api-server",
      spread: SPREAD,
      emit: (event) => this.#apply(event),
    });
  }

  start(scope: Scope): void {
    scope.onClose("confirmation", () => this.#confirming?.cancel());
    this.#listWatch.start(scope);
  }

  /** Asks for a list now. */
  relist(): void {
    this.#listWatch.relist();
  }

  get resource(): Resource {
    return this.#options.decoder.resource;
  }

  get status(): InformerStatus {
    const { synced, heldDeletions, rejected, size } = this.store;
    return {
      kind: this.resource.kind,
      objectCount: size,
      synced,
      connected: this.#connected,
      error: this.#error,
      heldDeletions,
      rejected,
    };
  }

  #apply(event: ListWatchEvent<T>): void {
    const rejected = this.store.rejected.size;
    const changes = this.store.apply(event);
    if (event.type === "list") this.#confirm();
    if (event.type === "state") {
      this.#connected = event.connected;
      this.#error = event.error;
    }
    if (changes.length > 0) this.#options.onChange(changes);
    const ofObject = event.type === "upsert" || event.type === "delete";
    if (!ofObject || this.store.rejected.size !== rejected) this.#options.onStatus();
  }

  #confirm(): void {
    this.#confirming?.cancel();
    const held = this.store.heldDeletions > 0;
    this.#confirming = held ? this.#options.clock.after(CONFIRM_AFTER, () => this.relist()) : undefined;
  }
}
