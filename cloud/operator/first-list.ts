import type { Clock, Timer } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { CONFIRM_AFTER, type Informer } from "../../src/kube/informer.ts";
import { isSuspicious } from "../../src/kube/shrinkage.ts";
import type { DocumentKey } from "./document.ts";
import { agentConfigName } from "./object-names.ts";

export interface FirstListOptions {
  readonly nodes: Informer<unknown>;
  readonly configMaps: Informer<unknown>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A first list of Nodes that lacks most of those that have a ConfigMap has to be said twice, as a later one has. What
 * belongs to a Node that was deleted goes with it, so there are few such ConfigMaps.
 */
export class FirstList {
  readonly #options: FirstListOptions;
  /** How many lists of Nodes there were when they were first not believed. */
  #doubted: number | undefined;
  #confirming: Timer | undefined;

  constructor(options: FirstListOptions, scope: Scope) {
    this.#options = options;
    scope.onClose("confirmation", () => this.#confirming?.cancel());
  }

  /** Whether to wait for another list, which is asked for. @param isPlanned what the first plan says */
  isDoubted(isPlanned: (key: DocumentKey) => boolean): boolean {
    const { nodes, configMaps, clock, log } = this.#options;
    const known = [...configMaps.store.values()].filter(({ key }) => key.includes(`/${agentConfigName("")}`));
    const absent = known.filter(({ key }) => !isPlanned(`ConfigMap/${key}`)).length;
    if (!isSuspicious(known.length, absent, known.length - absent)) return false;
    this.#doubted ??= nodes.store.listCount;
    if (nodes.store.listCount > this.#doubted) return false;
    if (this.#confirming === undefined) {
      log.warn("operator.doubt", "The list of Nodes lacks most that are known; it is asked for again", {
        count: absent,
      });
      this.#confirming = clock.after(CONFIRM_AFTER, () => nodes.relist());
    }
    return true;
  }
}
