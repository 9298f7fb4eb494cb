import type { BackoffPolicy, Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceIndex } from "../../src/network/service-index.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import type { ServiceApplier } from "./applier.ts";
import type { Frontend } from "./frontend.ts";
import { type FrontendConflict, FrontendRegistry, type OwnedFrontends } from "./frontend-registry.ts";
import { planHealthCheck } from "./health-check-plan.ts";
import { HealthCheckPorts } from "./health-check-ports.ts";
import { BACKENDS_PER_FRONTEND_LIMIT, planFrontends } from "./plan.ts";
import type { ServiceMetrics } from "./service-metrics.ts";
import { ServiceTotals } from "./service-totals.ts";
import type { NodeTopology } from "./topology.ts";

export type ProxyMode = "nftables" | "userspace";

/** Makes the applier of a mode, or throws why this machine cannot. @param resync asks for one: the world has changed */
export type OpenApplier = (resync: () => void) => Promise<ServiceApplier>;

export interface ServiceProxyDependencies {
  /** "auto" takes nftables where the kernel has it, and user space elsewhere. */
  readonly mode: "auto" | ProxyMode;
  readonly node: NodeTopology;
  readonly open: Readonly<Record<ProxyMode, OpenApplier>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly health: Health;
  readonly metrics: ServiceMetrics;
  readonly scope: Scope;
}

export interface ServiceProxyStatus {
  /** Undefined until one has worked. */
  readonly mode: ProxyMode | undefined;
  readonly reason: string;
  readonly services: number;
  readonly frontends: number;
  readonly endpoints: number;
  readonly conflicts: readonly FrontendConflict[];
  /** Wall time in milliseconds since 1970; undefined before the first success. */
  readonly lastSync: number | undefined;
  /** Why the last attempt failed; undefined when it did not. */
  readonly failure: string | undefined;
}

/** Whatever events miss is put right this often. */
const RESYNC_EVERY = minutes(1);
const BACKOFF: BackoffPolicy = { initial: seconds(0.25), factor: 2, limit: seconds(30) };

/** Services on this node: from the index of services to whatever makes them work. */
export class ServiceProxy {
  readonly #deps: ServiceProxyDependencies;
  readonly #registry = new FrontendRegistry();
  readonly #counts = new ServiceTotals();
  readonly #pending = new Set<ObjectKey>();
  readonly #healthChecks: HealthCheckPorts;
  readonly #reconciler: Reconciler;
  #index: ServiceIndex | undefined;
  #node: NodeTopology;
  #applier: ServiceApplier | undefined;
  #applied = false;
  #mode: ProxyMode | undefined;
  #reason = "not started";
  #lastSync: number | undefined;
  #failure: string | undefined;

  constructor(deps: ServiceProxyDependencies) {
    this.#deps = deps;
    this.#node = deps.node;
    this.#healthChecks = new HealthCheckPorts(deps.health);
    deps.scope.onClose("service applier", () => this.#applier?.close());
    deps.scope.onClose("health checks of services", () => this.#healthChecks.close());
    const options = {
      run: (full: boolean) => this.#run(full),
      onFailure: (error: unknown) => this.#failed(error),
      onSuccess: () => this.#succeeded(),
      every: RESYNC_EVERY,
      backoff: BACKOFF,
    };
    this.#reconciler = new Reconciler(options, deps.clock, deps.random, deps.scope);
    deps.metrics.watch(() => this.status());
  }

  /**
   * The first call brings everything that there is, however little: what is not in the index is removed from the
   * kernel. So it comes after the cache was read.
   *
   * @returns when the change is in effect, or failed and will be tried again
   */
  update(index: ServiceIndex, changed: ReadonlySet<ObjectKey>): Promise<void> {
    if (this.#index !== index) for (const view of index.views()) this.#pending.add(view.key);
    this.#index = index;
    for (const key of changed) this.#pending.add(key);
    return this.#reconciler.trigger();
  }

  /** The node's own name and zone decide which endpoints are near, and its addresses who calls. */
  setNode(node: NodeTopology): Promise<void> {
    if (JSON.stringify(node) === JSON.stringify(this.#node)) return Promise.resolve();
    this.#node = node;
    if (this.#index === undefined) return Promise.resolve();
    for (const view of this.#index.views()) this.#pending.add(view.key);
    return this.#reconciler.trigger();
  }

  /** Something outside has changed: a link came, another program wrote. */
  resync(): Promise<void> {
    return this.#index === undefined ? Promise.resolve() : this.#reconciler.trigger(true);
  }

  status(): ServiceProxyStatus {
    return {
      mode: this.#mode,
      reason: this.#reason,
      services: this.#counts.services,
      frontends: this.#counts.frontends,
      endpoints: this.#counts.endpoints,
      conflicts: this.#registry.conflicts(),
      lastSync: this.#lastSync,
      failure: this.#failure,
    };
  }

  /** What each service has on this node, for people. */
  services(): ReadonlyMap<ObjectKey, readonly Frontend[]> {
    return this.#registry.all();
  }

  async #run(full: boolean): Promise<void> {
    this.#applier ??= await this.#open();
    const changes = this.#plan();
    if (changes.size > 0 || !this.#applied) {
      // Whatever happens, the applier knows now what is wanted: a resync brings it about.
      this.#applied = true;
      await this.#applier.apply(changes);
    }
    if (full) await this.#applier.resync();
    this.#healthChecks.sync();
  }

  #plan(): ReadonlyMap<ObjectKey, readonly Frontend[]> {
    const changes: OwnedFrontends = new Map();
    for (const key of this.#pending) {
      const view = this.#index?.get(key);
      const frontends = view === undefined ? [] : planFrontends(view, this.#node);
      this.#healthChecks.want(key, view === undefined ? undefined : planHealthCheck(view, this.#node));
      this.#registry.update(key, view?.service.created ?? "", frontends, changes);
    }
    for (const [service, owned] of changes) this.#counts.set(service, owned);
    this.#pending.clear();
    return changes;
  }

  async #open(): Promise<ServiceApplier> {
    const { mode, open, health, log } = this.#deps;
    const resync = () => void this.#reconciler.trigger(true);
    if (mode !== "auto") {
      const applier = await open[mode](resync);
      this.#chose(mode, `--proxy-mode=${mode}`);
      return applier;
    }
    try {
      const applier = await open.nftables(resync);
      this.#chose("nftables", "the kernel has all that it takes");
      health.clear("service", "PROXY_MODE_USERSPACE");
      return applier;
    } catch (error) {
      // What may pass, such as memory that is short for a moment, is no reason to change the mode for good.
      if (error instanceof SelvedgeError && error.retry !== "never") throw error;
      if (errorCode(error) === "EPERM") throw notPermitted(error);
      const applier = await open.userspace(resync);
      const reason = `nftables does not work here: ${errorText(error)}`;
      this.#chose("userspace", reason);
      log.warn("service.mode", "Services are carried in user space.", { mode: "userspace", reason });
      health.raise({
        code: "PROXY_MODE_USERSPACE",
        component: "service",
        severity: "info",
        message: `Cannot carry services in the kernel as ${reason}`,
        hint: "Services work, with more load on the processor; node ports and source addresses are limited.",
      });
      return applier;
    }
  }

  #chose(mode: ProxyMode, reason: string): void {
    this.#mode = mode;
    this.#reason = reason;
    this.#deps.log.info("service.mode", "The way to carry services is chosen.", { mode, reason });
  }

  #failed(error: unknown): void {
    const { health, log, metrics } = this.#deps;
    this.#failure = errorText(error);
    const code = errorCode(error);
    metrics.failed(code);
    log.warn("service.failed", "Services could not be brought up to date.", { code, err: this.#failure });
    health.raise({
      code: "SERVICES_NOT_APPLIED",
      component: "service",
      severity: this.#applier === undefined ? "failed" : "degraded",
      message: this.#failure,
      hint:
        (error instanceof SelvedgeError ? error.hint : undefined) ??
        "It is tried again by itself; services that did work go on working as they were.",
    });
  }

  #succeeded(): void {
    const { clock, health } = this.#deps;
    this.#failure = undefined;
    this.#lastSync = clock.wall();
    health.clear("service", "SERVICES_NOT_APPLIED");
    this.#reportConflicts();
    this.#reportLimits();
  }

  #reportConflicts(): void {
    const conflicts = this.#registry.conflicts();
    const [first] = conflicts;
    if (first === undefined) {
      this.#deps.health.clear("service", "SERVICE_CONFLICT");
      return;
    }
    const { address, protocol, port } = first.frontend;
    const what = address === undefined ? `node port ${protocol} ${port}` : `${address} ${protocol} ${port}`;
    const more = conflicts.length === 1 ? "" : `, and ${conflicts.length - 1} more`;
    this.#deps.health.raise({
      code: "SERVICE_CONFLICT",
      component: "service",
      severity: "degraded",
      message: `Cannot give ${what} to ${first.loser} as an older service has it: current value is ${first.winner}${more}`,
      hint: "Change one of the services: the older one is served until then.",
    });
  }

  #reportLimits(): void {
    const first = this.#counts.firstLimited();
    if (first === undefined) {
      this.#deps.health.clear("service", "SERVICE_ENDPOINTS_LIMITED");
      return;
    }
    this.#deps.health.raise({
      code: "SERVICE_ENDPOINTS_LIMITED",
      component: "service",
      severity: "degraded",
      message: `Cannot spread ${first} over all its endpoints as they are too many: at most ${BACKENDS_PER_FRONTEND_LIMIT} are used`,
      hint: "Divide the service.",
    });
  }
}

/** User space needs the same capability, to hold the services' addresses. */
function notPermitted(cause: unknown): SelvedgeError {
  return new SelvedgeError("Cannot carry services as this process may not change the network", {
    code: "CAP_NET_ADMIN_MISSING",
    blame: "host",
    retry: "later",
    hint: "Run as root, or with CAP_NET_ADMIN in the unit's AmbientCapabilities.",
    cause,
  });
}
