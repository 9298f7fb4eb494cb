import type { BackoffPolicy, Random } from "../../src/base/backoff.ts";
import { type Clock, sleep } from "../../src/base/clock.ts";
import { milliseconds, minutes, seconds } from "../../src/base/duration.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { Manifest } from "../../src/kube/manifest.ts";
import { sameValue } from "../../src/kube/object-store.ts";
import { DATA_BYTES_MAX } from "../../src/kube/objects/config-map.ts";
import { CONNECTOR_LABEL, PUBLICATION_KEY, publicationName } from "../../src/kube/objects/connector-publication.ts";
import { CONFIG_MAPS } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import { type ConnectorPublication, formatPublication } from "../../src/network/connector-claims.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";

export interface PublisherOptions {
  readonly writer: KubeWriter;
  readonly namespace: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly onFailure: (error: unknown) => void;
  readonly onSuccess: () => void;
}

/** A fleet that comes at once is a few writes. */
const GAP = milliseconds(200);
/** A publication that somebody took away is written again when the watch shows it; this is for when that is blind. */
const EVERY = minutes(5);
const RETRY: BackoffPolicy = { initial: milliseconds(250), factor: 2, limit: seconds(10) };
/** A label's value (Kubernetes' validation). */
const LABEL_VALUE_MAX = 63;

/** Writes what this connector says to the cluster, when it says something else than before. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #reconciler: Reconciler;
  #wanted: Manifest | undefined;
  #written: Manifest | undefined;
  /** The watch has shown what was written. */
  #shown = false;

  constructor(options: PublisherOptions, scope: Scope) {
    const { clock, random, onFailure, onSuccess } = options;
    this.#options = options;
    const run = async (full: boolean) => {
      if (full) this.#written = undefined;
      if (this.#wanted === undefined || this.#wanted === this.#written) return;
      await this.#write(this.#wanted, scope.signal);
      await sleep(clock, GAP, scope.signal);
    };
    this.#reconciler = new Reconciler(
      { run, onFailure, onSuccess, every: EVERY, backoff: RETRY },
      clock,
      random,
      scope,
    );
  }

  /**
   * @param uid of the Node that it goes with
   * @param seen what the API server has of it; undefined: nothing
   * @returns false: it says more than a ConfigMap holds, and what was said before stays
   */
  publish(publication: ConnectorPublication, uid: string, seen: ConnectorPublication | undefined): boolean {
    const manifest = planPublication(this.#options.namespace, publication, uid);
    if (manifest === undefined) return false;
    const shows = seen !== undefined && formatPublication(seen) === formatPublication(publication);
    const lost = this.#shown && !shows;
    this.#shown = shows;
    if (sameValue(manifest, this.#wanted) && !lost) return true;
    this.#wanted = manifest;
    void this.#reconciler.trigger();
    return true;
  }

  /** Ends the pause after a failure: what has to be written is written now. */
  hurry(): void {
    if (this.#wanted !== this.#written) void this.#reconciler.trigger();
  }

  /** The last word of a connector that ends: written at once, whatever the scope says. */
  async conclude(publication: ConnectorPublication, uid: string, signal: AbortSignal): Promise<void> {
    const manifest = planPublication(this.#options.namespace, publication, uid);
    if (manifest === undefined || sameValue(manifest, this.#written)) return;
    await this.#write(manifest, signal);
  }

  async #write(manifest: Manifest, signal: AbortSignal): Promise<void> {
    await this.#options.writer.apply(CONFIG_MAPS, manifest, signal, { force: true });
    this.#written = manifest;
    this.#shown = false;
  }
}

/** @returns undefined: it does not fit */
export function planPublication(
  namespace: string,
  publication: ConnectorPublication,
  uid: string,
): Manifest | undefined {
  const { node } = publication;
  const text = formatPublication(publication);
  if (text.length > DATA_BYTES_MAX - PUBLICATION_KEY.length) return undefined;
  // What watches asks for the label and not for its value.
  const labels = { [CONNECTOR_LABEL]: node.length <= LABEL_VALUE_MAX ? node : "" };
  const ownerReferences = [{ apiVersion: "v1", kind: "Node", name: node, uid }];
  return {
    metadata: { namespace, name: publicationName(node), labels, ownerReferences },
    data: { [PUBLICATION_KEY]: text },
  };
}
