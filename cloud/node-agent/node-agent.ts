import type { Random } from "../../src/base/backoff.ts";
import { type Clock, elapsed, type Timer } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import { formatPrefix } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { CONFIRM_AFTER, Informer } from "../../src/kube/informer.ts";
import { CONNECTOR_LABEL, parsePublication } from "../../src/kube/objects/connector-publication.ts";
import { CONFIG_MAPS } from "../../src/kube/resource.ts";
import { isSuspicious } from "../../src/kube/shrinkage.ts";
import { watchRouting } from "../../src/linux/routing-events.ts";
import type { ConnectorPublication } from "../../src/network/connector-claims.ts";
import { PacedTrigger } from "../../src/reconcile/paced-trigger.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import { judgeEdges, judgeHearing, judgeKernel, TROUBLES, type Trouble } from "./conditions.ts";
import type { NodeKernel } from "./kernel.ts";
import { type EdgePlan, planEdges } from "./plan.ts";

export interface NodeAgentOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** This Kubernetes node's name. */
  readonly node: string;
  readonly kernel: NodeKernel;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** Looks at the whole kernel so often, whatever it was told. */
const EVERY = minutes(1);
/** A busy main table does not keep this program busy: its changes are looked at so often at most. */
const KERNEL_PAUSE = seconds(1);
/** Whether our table of nftables is still as it was; events of nftables would tell each rule that kube-proxy writes. */
const LOOK_AT_FILTER = seconds(4);
const RETRY = { initial: seconds(1), factor: 2, limit: seconds(30) };
const RUN_BOUNDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];

/**
 * Keeps a cloud node's ways to edges as the connectors publish them. Nothing is withdrawn before it has heard a list that
 * it may believe, and nothing because nobody answers.
 */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  readonly #informer: Informer<ConnectorPublication>;
  readonly #reconciler: Reconciler;
  #plan: EdgePlan | undefined;
  /** How many lists there were when the first was not believed. */
  #doubtedAt: number | undefined;
  #confirming: Timer | undefined;
  #looking: Timer | undefined;

  constructor(options: NodeAgentOptions, scope: Scope) {
    this.#options = options;
    const { client, namespace, clock, random, log, metrics } = options;
    const runs = metrics.histogram("node_agent_run_seconds", "What one look at plan and kernel takes.", RUN_BOUNDS);
    const writes = metrics.counter("node_agent_writes_total", "Routes and rules that were changed.");
    this.#informer = new Informer({
      ...{ client, namespace, clock, random },
      labelSelector: CONNECTOR_LABEL,
      decoder: { resource: CONFIG_MAPS, decode: parsePublication },
      onChange: () => this.#heard(),
      onStatus: () => this.#heard(),
    });
    this.#reconciler = new Reconciler(
      {
        run: async (full) => {
          const started = clock.now();
          writes.add(this.#run(full));
          runs.observe(elapsed(started, clock.now()) / 1000);
        },
        onFailure: (error, retryIn) => {
          this.#tell(["NODE_AGENT_FAILED"], [failed(error)]);
          log.warn("node-agent.failed", errorText(error), { code: errorCode(error), delay_ms: Math.round(retryIn) });
        },
        onSuccess: () => this.#tell(["NODE_AGENT_FAILED"], []),
        every: EVERY,
        backoff: RETRY,
      },
      clock,
      random,
      scope,
    );
    this.#register(metrics);
  }

  /** @returns when changes of the kernel are seen; what is published is heard later */
  async start(scope: Scope): Promise<void> {
    const { kernel, clock, log } = this.#options;
    const trigger = new PacedTrigger((full) => void this.#reconciler.trigger(full), KERNEL_PAUSE, clock, scope);
    const watch = await watchRouting(
      kernel.route,
      (change) => trigger.changed(kernel.concerns(change)),
      // The slow timer sees what is not told.
      (error) => log.warn("node-agent.deaf", errorText(error), { code: errorCode(error) }),
    );
    scope.onClose("watch of routes", () => watch.close());
    scope.onClose("timers", () => {
      this.#confirming?.cancel();
      this.#looking?.cancel();
    });
    this.#lookLater();
    this.#informer.start(scope);
  }

  /** Why the kernel does not have what is published; undefined: it has. */
  get notReady(): string | undefined {
    if (this.#plan === undefined) return "no list of connectors was heard that could be believed";
    return this.#options.health.list().find(({ severity }) => severity === "failed")?.message;
  }

  #heard(): void {
    const { status } = this.#informer;
    this.#tell(TROUBLES.hearing, judgeHearing(status, this.#doubtedAt !== undefined && this.#plan === undefined));
    if (!status.synced || this.#isDoubted()) return;
    const { node, kernel } = this.#options;
    const publications = [...this.#informer.store.values()].map(({ value }) => value);
    // One that was read before counts as it was; of one that never was nothing is known.
    const whole = [...status.rejected.keys()].every((key) => this.#informer.store.get(key) !== undefined);
    this.#plan = planEdges(publications, node, kernel.ownAddresses(), whole);
    this.#tell(TROUBLES.edges, judgeEdges(this.#plan));
    void this.#reconciler.trigger();
  }

  /**
   * The first list of a run that lacks most of what the kernel was left with has to be said twice, as later ones have.
   * The informer does that for lists that it can compare.
   */
  #isDoubted(): boolean {
    if (this.#plan !== undefined) return false;
    const { kernel, clock, log, node } = this.#options;
    const { store } = this.#informer;
    if (this.#doubtedAt !== undefined) return store.listCount <= this.#doubtedAt;
    const known = kernel.knownPrefixes();
    const publications = [...store.values()].map(({ value }) => value);
    const listed = new Set(planEdges(publications, node, []).held.map(({ destination }) => formatPrefix(destination)));
    const absent = known.filter((prefix) => !listed.has(prefix)).length;
    if (!isSuspicious(known.length, absent, listed.size)) return false;
    this.#doubtedAt = store.listCount;
    const msg = "The list of connectors lacks most edges that are known; it is asked for again";
    log.warn("node-agent.doubt", msg, { count: absent });
    this.#tell(TROUBLES.hearing, judgeHearing(this.#informer.status, true));
    this.#confirming = clock.after(CONFIRM_AFTER, () => this.#informer.relist());
    return true;
  }

  #lookLater(): void {
    this.#looking = this.#options.clock.after(LOOK_AT_FILTER, () => {
      void this.#reconciler.trigger();
      this.#lookLater();
    });
  }

  /** @returns how many changes were made */
  #run(full: boolean): number {
    if (this.#plan === undefined) return 0;
    const state = this.#options.kernel.apply(this.#plan, full);
    this.#tell(TROUBLES.kernel, judgeKernel(state));
    if (state.writes > 0)
      this.#options.log.info("node-agent.routed", "Routes follow the connectors", { count: state.writes });
    return state.writes;
  }

  #tell(of: readonly string[], troubles: readonly Trouble[]): void {
    const { health } = this.#options;
    for (const code of of) if (!troubles.some((trouble) => trouble.code === code)) health.clear("node-agent", code);
    for (const trouble of troubles) health.raise({ component: "node-agent", ...trouble });
  }

  #register(metrics: Metrics): void {
    const { health } = this.#options;
    metrics.gauge("node_agent_connectors", "Connectors that publish.", () => this.#informer.store.size);
    metrics.gauge("node_agent_prefixes", "Prefixes of edges that are routed.", () => this.#plan?.held.length ?? 0);
    metrics.gauge("node_agent_connected", "1 while the API server answers.", () =>
      Number(this.#informer.status.connected),
    );
    metrics.gauge("node_agent_conditions", "What is wrong now, by its code.", () =>
      health.list().map(({ code }) => [{ code }, 1] as const),
    );
  }
}

function failed(error: unknown): Trouble {
  return {
    code: "NODE_AGENT_FAILED",
    severity: "failed",
    message: errorText(error),
    hint: "It is tried again within half a minute; run it with CAP_NET_ADMIN in the node's network.",
  };
}
