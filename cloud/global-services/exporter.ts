import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { minutes } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { Rate } from "../../src/base/token-bucket.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { EventRecorder } from "../../src/kube/event-recorder.ts";
import type { Informer } from "../../src/kube/informer.ts";
import { InformerFactory } from "../../src/kube/informer-factory.ts";
import type { StoreChange, Stored } from "../../src/kube/object-store.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import { reasonOf } from "../../src/kube/reason.ts";
import type { Recovery } from "../../src/kube/recovery.ts";
import { apiVersion, GLOBAL_SERVICES, SERVICES } from "../../src/kube/resource.ts";
import { isOutage } from "../../src/kube/status.ts";
import { describeUnreadable } from "../../src/kube/unreadable.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { WorkQueue } from "../../src/reconcile/work-queue.ts";
import {
  EXPORTED,
  EXPORTED_SERVICE_DECODER,
  EXPORTED_SLICE_DECODER,
  type ExportedService,
  type ExportedSlice,
} from "./exported-service.ts";
import { type FoundGlobalService, GLOBAL_SERVICE_DECODER, type GlobalServiceSpec } from "./global-service.ts";
import { type ExportProblem, type Place, planExport, planGlobalService } from "./plan.ts";

export interface ExporterOptions {
  readonly client: KubeClient;
  readonly writer: KubeWriter;
  readonly events: EventRecorder;
  readonly place: Place;
  /** Of all that follow the API server. */
  readonly recovery: Recovery;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const WORKERS = 4;
/** A Deployment that rolls out changes its slices some ten times a second. */
const RATE: Rate = { perSecond: 50, burst: 50 };
/** What another program has changed meanwhile, and no event told. */
const SWEEP_PERIOD = minutes(30);

/**
 * Keeps this cluster's endpoints in the GlobalService of each Service that is labelled for it, while it may. Nothing is
 * written before Services, EndpointSlices and GlobalServices have been read, and nothing at all where the cluster has
 * no such kind.
 */
export class Exporter {
  readonly #options: ExporterOptions;
  readonly #observed: InformerFactory;
  readonly #services: Informer<ExportedService>;
  readonly #globals: Informer<FoundGlobalService>;
  readonly #slices = new Map<ObjectKey, Map<ObjectKey, ExportedSlice>>();
  readonly #queue: WorkQueue<ObjectKey>;
  /** What was said of a Service in an Event last. */
  readonly #told = new Map<ObjectKey, string>();
  #term: AbortSignal | undefined;

  constructor(options: ExporterOptions, scope: Scope) {
    const { client, recovery, clock, random, log } = options;
    this.#options = options;
    const onStatus = (informer: Informer<unknown>) => {
      this.#tellUnreadable(informer);
      this.#sweep();
    };
    this.#observed = new InformerFactory({ client, onStatus, recovery, clock, random, log });
    const touch = (changes: readonly StoreChange<unknown>[]) => {
      for (const { key } of changes) this.#queue.add(key);
    };
    const exported = { labelSelector: EXPORTED };
    this.#services = this.#observed.observe(EXPORTED_SERVICE_DECODER, exported, touch);
    this.#observed.observe(EXPORTED_SLICE_DECODER, exported, (changes) => this.#slicesChanged(changes));
    this.#globals = this.#observed.observe(GLOBAL_SERVICE_DECODER, {}, touch);
    this.#observed.start(scope);
    this.#queue = new WorkQueue<ObjectKey>(
      {
        work: (key) => this.#work(key),
        isOutage,
        onFailure: (key, error, retryIn) => this.#failed(key, error, retryIn),
        workers: WORKERS,
        rate: RATE,
        clock,
        random,
      },
      scope,
    );
    this.#sweepLater(scope);
  }

  /** @param term under which this process leads: it ends with it */
  lead(term: AbortSignal): void {
    this.#term = term;
    this.#told.clear();
    for (const informer of this.#observed.informers) this.#tellUnreadable(informer);
    this.#sweep();
    this.#queue.resume();
    term.addEventListener("abort", () => {
      this.#term = undefined;
      void this.#queue.pause();
    });
  }

  #slicesChanged(changes: readonly StoreChange<ExportedSlice>[]): void {
    for (const { key, before, now } of changes) {
      const [was, is] = [before?.value.service, now?.value.service];
      if (was !== undefined) this.#slices.get(was)?.delete(key);
      if (now !== undefined) this.#slicesOf(now.value.service).set(key, now.value);
      if (was !== undefined && this.#slices.get(was)?.size === 0) this.#slices.delete(was);
      for (const service of new Set([was, is])) if (service !== undefined) this.#queue.add(service);
    }
  }

  #slicesOf(service: ObjectKey): Map<ObjectKey, ExportedSlice> {
    const slices = this.#slices.get(service) ?? new Map<ObjectKey, ExportedSlice>();
    this.#slices.set(service, slices);
    return slices;
  }

  #sweep(): void {
    if (!this.#observed.synced) return;
    for (const { key } of this.#services.store.values()) this.#queue.add(key, "sweep");
    for (const { key } of this.#globals.store.values()) this.#queue.add(key, "sweep");
  }

  #sweepLater(scope: Scope): void {
    const { clock } = this.#options;
    const again = () => {
      this.#sweep();
      timer = clock.after(SWEEP_PERIOD, again);
    };
    let timer = clock.after(SWEEP_PERIOD, again);
    scope.onClose("sweep", () => timer.cancel());
  }

  async #work(key: ObjectKey): Promise<void> {
    const term = this.#term;
    if (term === undefined || !this.#observed.synced) return;
    // What it says of other clusters is not known, and would be lost.
    if (this.#globals.store.rejected.has(key)) return;
    const { place } = this.#options;
    const service = this.#services.store.get(key)?.value;
    const slices = this.#slices.get(key)?.values() ?? [];
    const found = this.#globals.store.get(key);
    const exported = service && planExport(key, service, slices, place, found?.value);
    this.#tell(key, exported?.problem);
    await this.#write(key, exported?.spec, found, term);
  }

  async #write(
    key: ObjectKey,
    spec: GlobalServiceSpec | undefined,
    found: Stored<FoundGlobalService> | undefined,
    term: AbortSignal,
  ): Promise<void> {
    const { writer, place, log } = this.#options;
    const step = planGlobalService(place, spec, found?.value);
    if (step.step === "keep") return;
    log.debug("global.write", "A GlobalService is written", { key, mode: step.step });
    const [namespace = "", name = ""] = key.split("/");
    const version = { uid: found?.uid, resourceVersion: found?.resourceVersion };
    if (step.step === "delete") {
      await writer.delete(GLOBAL_SERVICES, { namespace, name }, version, term);
      return;
    }
    const labels = { [CREATED_BY_LABEL]: CREATED_BY };
    const written =
      step.step === "create"
        ? await writer.create(GLOBAL_SERVICES, { metadata: { namespace, name, labels }, spec: step.spec }, term)
        : // Its version excludes that what another program has written meanwhile is lost.
          await writer.merge(GLOBAL_SERVICES, { namespace, name }, { metadata: version, spec: step.spec }, term);
    const value = { spec: step.spec, ours: found?.value.ours ?? true };
    this.#globals.store.wrote({ key, ...written, value });
  }

  #tellUnreadable(informer: Informer<unknown>): void {
    if (this.#term === undefined) return;
    for (const event of describeUnreadable(informer, "Export")) this.#options.events.record(event);
  }

  #tell(key: ObjectKey, problem: ExportProblem | undefined): void {
    const text = problem === undefined ? "" : `${problem.message}. ${problem.hint}`;
    const before = this.#told.get(key) ?? "";
    if (text === "") this.#told.delete(key);
    else this.#told.set(key, text);
    const service = this.#services.store.get(key);
    if (problem === undefined || text === before || service === undefined) return;
    const [namespace, name = ""] = key.split("/");
    const regarding = { apiVersion: apiVersion(SERVICES), kind: SERVICES.kind, namespace, name, uid: service.uid };
    const reason = reasonOf(problem.code);
    this.#options.events.record({ regarding, type: "Warning", reason, action: "Export", note: text });
  }

  #failed(key: ObjectKey, error: unknown, retryIn: number): void {
    const { log } = this.#options;
    const fields = { key, code: errorCode(error), delay_ms: Math.round(retryIn) };
    // Another look at the object is all that a conflict asks for.
    if (fields.code === "KUBE_CONFLICT") log.debug("global.conflict", errorText(error), fields);
    else log.warn("global.failed", errorText(error), fields);
  }
}
