import type { Random } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Scope } from "../base/scope.ts";
import type { KubeClient } from "./client.ts";
import { Informer, type InformerStatus } from "./informer.ts";
import { KindTrouble } from "./kind-trouble.ts";
import type { ObjectDecoder } from "./object-reader.ts";
import type { StoreChange } from "./object-store.ts";
import type { Recovery } from "./recovery.ts";
import type { Selection } from "./resource.ts";

export interface InformerFactoryOptions {
  readonly client: KubeClient;
  /** After a change of one's status that its log line, if it is worth one, has told already. */
  readonly onStatus: (informer: Informer<unknown>) => void;
  /** Of all that follow that API server. */
  readonly recovery: Recovery;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The informers of one purpose, which has begun to know something when all of them have been read. */
export class InformerFactory {
  readonly #options: InformerFactoryOptions;
  readonly #informers: Informer<unknown>[] = [];

  constructor(options: InformerFactoryOptions) {
    this.#options = options;
  }

  /** @param onChange what one event changed, never empty; a list's changes come together. Must not throw */
  observe<T>(
    decoder: ObjectDecoder<T>,
    selection: Selection,
    onChange: (changes: readonly StoreChange<T>[]) => void,
  ): Informer<T> {
    const { client, onStatus, recovery, clock, random, log } = this.#options;
    const trouble = new KindTrouble(log);
    const informer: Informer<T> = new Informer<T>({
      ...selection,
      ...{ client, decoder, recovery, clock, random, onChange },
      onStatus: () => {
        trouble.see(informer.status);
        onStatus(informer as Informer<unknown>);
      },
    });
    this.#informers.push(informer as Informer<unknown>);
    return informer;
  }

  start(scope: Scope): void {
    for (const informer of this.#informers) informer.start(scope);
  }

  /** Asks for everything anew. */
  relist(): void {
    for (const informer of this.#informers) informer.relist();
  }

  get informers(): readonly Informer<unknown>[] {
    return this.#informers;
  }

  get synced(): boolean {
    return this.#informers.every(({ store }) => store.synced);
  }

  get statuses(): readonly InformerStatus[] {
    return this.#informers.map(({ status }) => status);
  }
}
