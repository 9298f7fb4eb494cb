import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { milliseconds, minutes } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { Rate } from "../../src/base/token-bucket.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { LeaseTiming } from "../../src/kube/election.ts";
import { Elector } from "../../src/kube/elector.ts";
import { EventRecorder } from "../../src/kube/event-recorder.ts";
import type { Informer, InformerStatus } from "../../src/kube/informer.ts";
import { InformerFactory } from "../../src/kube/informer-factory.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { type StoreChange, sameValue } from "../../src/kube/object-store.ts";
import { CREATED_BY, CREATED_BY_LABEL } from "../../src/kube/objects/created-by.ts";
import type { Recovery } from "../../src/kube/recovery.ts";
import { CLUSTERS } from "../../src/kube/resource.ts";
import { isOutage } from "../../src/kube/status.ts";
import { describeUnreadable } from "../../src/kube/unreadable.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import { WorkQueue } from "../../src/reconcile/work-queue.ts";
import { AuthorityKeeper } from "./authority-keeper.ts";
import type { Signer } from "./certificates.ts";
import type { OperatorChange, OperatorObjects, PlanChange } from "./change.ts";
import type { Desired, DocumentKey } from "./document.ts";
import { DocumentWriter } from "./document-writer.ts";
import { FirstList } from "./first-list.ts";
import { nameFew } from "./named-few.ts";
import { ObjectReports } from "./object-reports.ts";
import {
  type AgentPod,
  agentPods,
  CONFIG_MAP_DECODER,
  FIELD_MANAGER,
  IP_POOL_DECODER,
  type LeafSecret,
  leafDecoder,
  POD_DECODER,
  type Reported,
  reportedDecoder,
  SECRET_DECODER,
} from "./observed-documents.ts";
import { observedKinds } from "./observed-kinds.ts";
import { registerOperator } from "./operator-metrics.ts";
import { OperatorPlanner, type PlanDelta } from "./planner.ts";
import { Pool } from "./pool.ts";
import type { Subject } from "./problem.ts";
import { Rollout } from "./rollout.ts";
import type { OperatorSettings } from "./settings.ts";
import { CONDITION, NODE_CONDITION, StatusWriter } from "./status-writer.ts";

export interface OperatorOptions {
  readonly client: KubeClient;
  readonly settings: OperatorSettings;
  /** The Secret of the authority, in the operator's namespace. */
  readonly authoritySecret: string;
  /** The Lease's name, in the operator's namespace. */
  readonly leaseName: string;
  readonly timing: LeaseTiming;
  /** This process, unlike any other. */
  readonly identity: string;
  readonly newEventSuffix: () => string;
  /** Called with each term under which this process leads: what else only a leader does ends with it. */
  readonly onTerm: (term: AbortSignal) => void;
  /** Of all that follow the API server. */
  readonly recovery: Recovery;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface OperatorStatus {
  readonly leading: boolean;
  /** Who leads, as far as is known. */
  readonly holder: string | undefined;
  /** Everything has been read, so that something can be planned. */
  readonly planned: boolean;
  readonly kinds: readonly InformerStatus[];
}

/** A document, the status of an object, or the authority. */
type WorkKey = DocumentKey | `status:${Subject}` | "authority";

/** Writes that the API server has to bear from us at the same time, each a few milliseconds long. */
const WORKERS = 16;
/** Most keys cost no write. So many at once take the event loop for some ten milliseconds. */
const RATE: Rate = { perSecond: 2000, burst: 50 };
/** Everything is looked at again: certificates grow old without an event. */
const SWEEP_PERIOD = minutes(30);
const OURS = `${CREATED_BY_LABEL}=${CREATED_BY}`;

/**
 * Observe, plan, apply: list–watches fill the stores, changes go through the planner, and what they touch is worked off
 * while this process leads. Nothing is planned before everything has been read, and nothing is taken away because the
 * API is away, or because a list suddenly lacks most objects.
 */
export class Operator {
  readonly #options: OperatorOptions;
  readonly #queue: WorkQueue<WorkKey>;
  readonly #elector: Elector;
  readonly #observed: InformerFactory;
  readonly #documents: DocumentWriter;
  readonly #statuses: StatusWriter;
  readonly #rollout: Rollout;
  readonly #events: EventRecorder;
  readonly #firstList: FirstList;
  readonly #authority: AuthorityKeeper;
  readonly #inputs: {
    readonly [K in Exclude<keyof OperatorObjects, "IPAMBlock">]: Informer<Reported<OperatorObjects[K]>>;
  };
  readonly #blocks: Informer<OperatorObjects["IPAMBlock"]> | undefined;
  readonly #configMaps: Informer<string>;
  readonly #secrets: Informer<LeafSecret>;
  readonly #pods: Informer<AgentPod>;
  readonly #ipPools: Informer<string> | undefined;
  #planner: OperatorPlanner | undefined;
  #reports: ObjectReports | undefined;
  #term: AbortSignal | undefined;

  constructor(options: OperatorOptions, scope: Scope) {
    const { client, settings, recovery, clock, random, log, metrics } = options;
    const { namespace } = settings;
    this.#options = options;
    const onStatus = (informer: Informer<unknown>) => this.#statusChanged(informer);
    this.#observed = new InformerFactory({ client, onStatus, recovery, clock, random, log });
    const writer = new KubeWriter(client, FIELD_MANAGER);
    const wall = () => clock.wall();
    const written = metrics.counter("operator_writes_total", "Objects written or deleted, by verb.");
    const onWrite = (verb: string, key: string) => {
      written.add(1, { verb });
      log.debug("operator.write", "An object is written", { key, mode: verb });
    };
    this.#elector = this.#newElector();
    this.#events = new EventRecorder(
      {
        writer,
        controller: "selvedge.io/operator",
        instance: options.identity,
        clock,
        newSuffix: options.newEventSuffix,
        onFailure: (error) => log.warn("operator.event", errorText(error), { code: errorCode(error) }),
      },
      scope,
    );

    const kinds = observedKinds(settings);
    this.#inputs = {
      Node: this.#observeInput("Node", reportedDecoder(kinds.Node, NODE_CONDITION)),
      Community: this.#observeInput("Community", reportedDecoder(kinds.Community, CONDITION)),
      Cluster: this.#observeInput("Cluster", reportedDecoder(kinds.Cluster, CONDITION)),
    };
    const calico = settings.cni === "calico";
    this.#blocks = calico
      ? this.#observed.observe(kinds.IPAMBlock, {}, (changes) => this.#blocksChanged(changes))
      : undefined;
    const ours = { namespace, labelSelector: OURS };
    this.#configMaps = this.#observed.observe(CONFIG_MAP_DECODER, ours, (c) => this.#drifted("ConfigMap", c));
    const bundles = new Pool<string>((text) => text);
    this.#secrets = this.#observed.observe(
      leafDecoder((text) => bundles.intern(text)),
      ours,
      (c) => this.#drifted("Secret", c),
    );
    this.#pods = this.#observed.observe(POD_DECODER, agentPods(namespace), (changes) => this.#podsChanged(changes));
    this.#ipPools =
      calico && settings.keepIpPools
        ? this.#observed.observe(IP_POOL_DECODER, { labelSelector: OURS }, (c) => this.#drifted("IPPool", c))
        : undefined;
    const only = { namespace, fieldSelector: `metadata.name=${options.authoritySecret}` };
    const authority = this.#observed.observe(SECRET_DECODER, only, () => this.#authorityChanged());

    this.#authority = new AuthorityKeeper({
      informer: authority,
      writer,
      namespace,
      name: options.authoritySecret,
      organization: settings.certificateOrganization,
      wall,
      leftNodes: () => this.#planner?.leftNodes() ?? [],
      onStep: (news) => this.#statuses.tell(CLUSTERS, settings.cluster, news),
    });
    this.#rollout = new Rollout({
      isLive: (node) => this.#inputs.Node.store.get(node)?.value.value.ready === true,
      agentCount: () => this.#pods.store.size,
      onTurn: (node) => this.#touch(`Pod/${namespace}/${node}`),
      onWait: (unready) =>
        log.info("operator.rollout", "Agents of another spec wait until more of those that were replaced are ready", {
          name: nameFew(unready),
          object_count: unready.length,
        }),
    });
    this.#documents = new DocumentWriter({
      observed: {
        configMaps: this.#configMaps,
        secrets: this.#secrets,
        pods: this.#pods,
        ipPools: this.#ipPools,
        nodes: this.#inputs.Node,
        clusters: this.#inputs.Cluster,
      },
      client,
      writer,
      signer: () => (settings.role === "host" ? this.signer : undefined),
      rollout: this.#rollout,
      clock,
      random,
      onWrite,
    });
    this.#statuses = new StatusWriter({
      nodes: this.#inputs.Node,
      communities: this.#inputs.Community,
      clusters: this.#inputs.Cluster,
      writer,
      events: this.#events,
      wall,
      onWrite,
    });
    this.#firstList = new FirstList(
      { nodes: this.#inputs.Node as Informer<unknown>, configMaps: this.#configMaps as Informer<unknown>, clock, log },
      scope,
    );
    registerOperator(metrics, () => this.status, this.#rollout);

    // In this order, since closing goes the other way: work ends before the lease is given up.
    this.#elector.start(scope);
    this.#observed.start(scope);
    this.#queue = new WorkQueue<WorkKey>(
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
    this.#queue.register(metrics);
    this.#sweepLater(scope);
  }

  get status(): OperatorStatus {
    return {
      leading: this.#elector.leading,
      holder: this.#elector.holder,
      planned: this.#planner !== undefined,
      kinds: this.#observed.statuses,
    };
  }

  /** What the plan says; undefined: not everything has been read yet. */
  document(key: DocumentKey): Desired | undefined {
    return this.#planner?.document(key);
  }

  /** This cluster's own object: what concerns no other one is said of it. */
  get #own(): Subject {
    return `Cluster/${this.#options.settings.cluster}`;
  }

  /** Undefined where there is none yet. @throws SelvedgeError CA_INVALID */
  get signer(): Signer | undefined {
    return this.#authority.signer;
  }

  #newElector(): Elector {
    const { client, settings, leaseName, identity, timing, clock, random, log } = this.#options;
    return new Elector({
      client,
      fieldManager: FIELD_MANAGER,
      lease: { namespace: settings.namespace, name: leaseName },
      identity,
      timing,
      clock,
      random,
      onTerm: (term) => this.#lead(term),
      onHolder: (holder) => log.info("operator.leader", "Another leads now, or nobody", { name: holder }),
      onFailure: (error) => log.warn("operator.lease", errorText(error), { code: errorCode(error) }),
    });
  }

  #observeInput<K extends Exclude<keyof OperatorObjects, "IPAMBlock">>(
    kind: K,
    decoder: ObjectDecoder<Reported<OperatorObjects[K]>>,
  ): Informer<Reported<OperatorObjects[K]>> {
    return this.#observed.observe(decoder, {}, (changes) => {
      const news = changes.filter(({ before, now }) => !sameValue(before?.value.value, now?.value.value));
      this.#plan(news.map(({ key, now }) => ({ kind, key, value: now?.value.value }) as OperatorChange));
      // What we say of it has been changed, perhaps by somebody else.
      for (const { key } of changes) this.#queue.add(`status:${kind}/${key}`);
      if (kind === "Cluster") for (const { key } of changes) this.#touch(`Cluster/${key}`);
    });
  }

  #blocksChanged(changes: readonly StoreChange<OperatorObjects["IPAMBlock"]>[]): void {
    this.#plan(changes.map(({ key, now }) => ({ kind: "IPAMBlock", key, value: now?.value })));
  }

  /** What we write was changed: by ourselves, or by somebody else. */
  #drifted(kind: "ConfigMap" | "Secret" | "IPPool", changes: readonly StoreChange<unknown>[]): void {
    for (const { key } of changes) this.#touch(`${kind}/${key}`);
  }

  #podsChanged(changes: readonly StoreChange<AgentPod>[]): void {
    this.#plan(changes.map(({ key, now }) => ({ kind: "AgentPod", key, value: now?.value })));
    for (const { before, now } of changes) {
      const node = now?.value.node ?? before?.value.node;
      if (node !== undefined) this.#touch(`Pod/${this.#options.settings.namespace}/${node}`);
    }
  }

  /** It, and what is said of it, waits for the nodes on which FabEdge's agents run. */
  #touchAuthority(): void {
    if (this.#options.settings.role === "host") this.#queue.add("authority");
    this.#queue.add(`status:${this.#own}`);
  }

  #authorityChanged(): void {
    this.#touchAuthority();
    for (const key of this.#planner?.keys() ?? []) if (key.startsWith("Secret/")) this.#queue.add(key, "sweep");
  }

  #plan(changes: readonly PlanChange[]): void {
    if (changes.length > 0 && this.#planner !== undefined) this.#enqueue(this.#planner.apply(changes));
  }

  #enqueue({ documents, subjects }: PlanDelta): void {
    for (const key of documents) this.#queue.add(key);
    for (const subject of subjects) this.#queue.add(`status:${subject}`);
    if (subjects.size > 0) this.#touchAuthority();
  }

  #touch(key: DocumentKey): void {
    if (this.#planner !== undefined) this.#queue.add(key);
  }

  /** Plans as soon as everything has been read. What came before is in the stores. */
  #statusChanged(informer: Informer<unknown>): void {
    this.#tellUnreadable(informer);
    if (this.#planner !== undefined || !this.#observed.synced) return;
    const planner = new OperatorPlanner(this.#options.settings, this.#everything());
    if (this.#firstList.isDoubted((key) => planner.has(key))) return;
    this.#planner = planner;
    // Whoever began to lead before that knew of no pods.
    this.#rollout.begin(this.#agents);
    this.#reports = new ObjectReports({ planner, own: this.#own, authority: () => this.#authority.problems() });
    this.#options.log.info("operator.planned", "Everything has been read", {
      object_count: this.#inputs.Node.store.size,
    });
    this.#sweep();
  }

  #tellUnreadable(informer: Informer<unknown>): void {
    if (!this.#elector.leading) return;
    for (const event of describeUnreadable(informer, "Plan")) this.#events.record(event);
  }

  get #agents(): readonly AgentPod[] {
    return [...this.#pods.store.values()].map(({ value }) => value);
  }

  *#everything(): Generator<PlanChange> {
    const { Node, Community, Cluster } = this.#inputs;
    for (const { key, value } of Node.store.values()) yield { kind: "Node", key, value: value.value };
    for (const { key, value } of Community.store.values()) yield { kind: "Community", key, value: value.value };
    for (const { key, value } of Cluster.store.values()) yield { kind: "Cluster", key, value: value.value };
    for (const { key, value } of this.#blocks?.store.values() ?? []) yield { kind: "IPAMBlock", key, value };
    for (const { key, value } of this.#pods.store.values()) yield { kind: "AgentPod", key, value };
  }

  #lead(term: AbortSignal): void {
    const { log } = this.#options;
    log.info("operator.leading", "This operator leads");
    this.#term = term;
    this.#statuses.forget();
    this.#rollout.begin(this.#agents);
    for (const informer of this.#observed.informers) this.#tellUnreadable(informer);
    this.#sweep();
    this.#queue.resume();
    this.#options.onTerm(term);
    term.addEventListener("abort", () => {
      this.#term = undefined;
      void this.#queue.pause();
      log.info("operator.following", "This operator no longer leads");
    });
  }

  /** Everything that should be there, and everything of ours that is. */
  #sweep(): void {
    const planner = this.#planner;
    if (planner === undefined) return;
    if (this.#options.settings.role === "host") this.#queue.add("authority", "sweep");
    for (const key of planner.keys()) this.#queue.add(key, "sweep");
    for (const { key } of this.#configMaps.store.values()) this.#queue.add(`ConfigMap/${key}`, "sweep");
    for (const { key } of this.#secrets.store.values()) this.#queue.add(`Secret/${key}`, "sweep");
    for (const { key } of this.#ipPools?.store.values() ?? []) this.#queue.add(`IPPool/${key}`, "sweep");
    const { namespace } = this.#options.settings;
    for (const { value } of this.#pods.store.values()) this.#queue.add(`Pod/${namespace}/${value.node}`, "sweep");
    for (const kind of ["Node", "Community", "Cluster"] as const) {
      for (const { key } of this.#inputs[kind].store.values()) this.#queue.add(`status:${kind}/${key}`, "sweep");
    }
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

  async #work(key: WorkKey): Promise<void> {
    const [term, planner, reports] = [this.#term, this.#planner, this.#reports];
    // Asked of the clock, not of a timer that could have been late. Who leads next sweeps.
    if (term === undefined || planner === undefined || reports === undefined || !this.#elector.leading) return;
    if (key === "authority") {
      this.#queue.addAfter(key, milliseconds(Math.min(SWEEP_PERIOD, await this.#authority.step(term))));
    } else if (key.startsWith("status:")) {
      await this.#statuses.write(key.slice("status:".length) as Subject, reports, term);
    } else {
      const desired = planner.document(key);
      const again = await this.#documents.write(key, desired, term);
      if (again !== undefined) this.#queue.addAfter(key, again);
      this.#tell(reports.written(key, desired));
    }
  }

  #failed(key: WorkKey, error: unknown, retryIn: number): void {
    const { log } = this.#options;
    const code = errorCode(error);
    const fields = { key, code, delay_ms: Math.round(retryIn) };
    // Another look at the object is all that a conflict asks for.
    if (code === "KUBE_CONFLICT") log.debug("operator.conflict", errorText(error), fields);
    else log.warn("operator.failed", errorText(error), fields);
    if (key !== "authority" && !key.startsWith("status:")) this.#tell(this.#reports?.failed(key, error));
  }

  #tell(subject: Subject | undefined): void {
    if (subject !== undefined) this.#queue.add(`status:${subject}`);
  }
}
