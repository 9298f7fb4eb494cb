import type { Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import { errorCode } from "../../src/base/errors.ts";
import type { Health, Severity } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import { fail, ok, type Result } from "../../src/base/result.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceApplier } from "./applier.ts";
import type { Frontend } from "./frontend.ts";
import { AffinityMemories, type UserspaceContext, type UserspaceUsage } from "./userspace-context.ts";
import { planLimits } from "./userspace-limits.ts";
import { OpenRelays } from "./userspace-open-relays.ts";
import { frontendAddresses, type ListenerSpec, planListeners } from "./userspace-plan.ts";
import { SessionTable } from "./userspace-sessions.ts";
import { TcpListener } from "./userspace-tcp.ts";
import { UdpListener, type UdpSession } from "./userspace-udp.ts";

/** nf_conntrack_udp_timeout_stream: as long as the kernel would keep them together. */
const SESSION_IDLE = seconds(120);
const SWEEP_EVERY = seconds(10);
/** A condition is one sentence: it names so many examples. */
const EXAMPLES = 3;

export interface UserspaceApplierOptions extends Pick<UserspaceContext, "clock" | "random" | "isInternal"> {
  /** Makes this node hold exactly these service addresses. */
  readonly holdAddresses: (addresses: ReadonlySet<Ip>) => void;
  /** How many this process may have open. */
  readonly descriptors: number;
  readonly health: Pick<Health, "raise" | "clear">;
}

/** A condition about some places, of which the text names a few. */
interface ListCondition {
  readonly code: string;
  readonly severity: Severity;
  readonly problem: (count: number, examples: string) => string;
  readonly hint: string;
}

interface Failure {
  readonly spec: ListenerSpec;
  readonly code: string;
}

/**
 * Services in this process, for kernels without nftables: the node holds their addresses, we listen on them and carry
 * each connection to a backend.
 *
 * What differs from the kernel's way: backends see the node as the caller, so externalTrafficPolicy Local chooses
 * local backends and cannot keep the source address; callers outside loadBalancerSourceRanges are reset and not
 * ignored; a program of this node that listens on all addresses answers on service addresses too, at ports that no
 * service has; connections end when the agent does; there is no SCTP.
 */
export class UserspaceApplier implements ServiceApplier {
  readonly #options: UserspaceApplierOptions;
  readonly #context: UserspaceContext;
  readonly #sessions: SessionTable<UdpSession>;
  readonly #services = new Map<ObjectKey, readonly Frontend[]>();
  readonly #listeners = new Map<string, TcpListener | UdpListener>();
  readonly #failures = new Map<string, Failure>();
  #sweep: Timer;
  #turnedAwayBefore = 0;

  constructor(options: UserspaceApplierOptions) {
    const { clock, random, isInternal } = options;
    const usage = { connections: 0, attempts: 0, refusedByLimit: 0, closedIdle: 0, connectFailures: 0 };
    const limits = planLimits(options.descriptors);
    this.#options = options;
    const shared = { affinity: new AffinityMemories(), relays: new OpenRelays() };
    this.#context = { clock, random, isInternal, ...shared, usage, limits };
    this.#sessions = new SessionTable(limits.sessions, SESSION_IDLE);
    this.#sweep = this.#scheduleSweep();
  }

  /** For metrics. */
  get usage(): Readonly<UserspaceUsage> & { readonly sessions: number; readonly listeners: number } {
    return { ...this.#context.usage, sessions: this.#sessions.size, listeners: this.#listeners.size };
  }

  async apply(changes: ReadonlyMap<ObjectKey, readonly Frontend[]>): Promise<void> {
    const before: Frontend[] = [];
    const after: Frontend[] = [];
    for (const [key, frontends] of changes) {
      before.push(...(this.#services.get(key) ?? []));
      after.push(...frontends);
      if (frontends.length === 0) this.#services.delete(key);
      else this.#services.set(key, frontends);
    }
    this.#context.affinity.forget(before, after);
    const plan = planListeners(before, after);
    for (const key of plan.close) this.#close(key);
    const sameAddresses = frontendAddresses(before).symmetricDifference(frontendAddresses(after)).size === 0;
    const held = sameAddresses ? ok(undefined) : attempt(() => this.#hold());
    for (const spec of plan.keep) this.#listeners.get(spec.key)?.update(spec.frontend);
    for (const spec of [...plan.keep, ...plan.open]) await this.#open(spec);
    this.#report();
    if (!held.ok) throw held.error;
  }

  async resync(): Promise<void> {
    const held = attempt(() => this.#hold());
    for (const { spec } of [...this.#failures.values()]) await this.#open(spec);
    this.#report();
    if (!held.ok) throw held.error;
  }

  /** The addresses stay: a new run finds them, and callers are refused until then. */
  async close(): Promise<void> {
    this.#sweep.cancel();
    for (const key of [...this.#listeners.keys()]) this.#close(key);
  }

  #hold(): void {
    this.#options.holdAddresses(frontendAddresses([...this.#services.values()].flat()));
  }

  /** Does nothing where it is open. */
  async #open(spec: ListenerSpec): Promise<void> {
    if (this.#listeners.has(spec.key)) return;
    try {
      const listener =
        spec.protocol === "TCP"
          ? new TcpListener(spec, this.#context)
          : await UdpListener.open(spec, this.#context, this.#sessions);
      this.#listeners.set(spec.key, listener);
      this.#failures.delete(spec.key);
    } catch (error) {
      this.#failures.set(spec.key, { spec, code: errorCode(error) });
    }
  }

  #close(key: string): void {
    this.#listeners.get(key)?.close();
    this.#listeners.delete(key);
    this.#failures.delete(key);
  }

  #scheduleSweep(): Timer {
    return this.#options.clock.after(SWEEP_EVERY, () => {
      this.#sessions.sweep(this.#options.clock.now());
      const { refusedByLimit, closedIdle } = this.#context.usage;
      this.#reportLimit(refusedByLimit + closedIdle - this.#turnedAwayBefore);
      this.#turnedAwayBefore = refusedByLimit + closedIdle;
      this.#sweep = this.#scheduleSweep();
    });
  }

  #report(): void {
    const failures = [...this.#failures.values()];
    const inUse = failures.filter(({ code }) => code === "EADDRINUSE").map(({ spec }) => place(spec));
    const refused = failures
      .filter(({ code }) => code !== "EADDRINUSE")
      .map(({ spec, code }) => `${place(spec)}: ${code}`);
    const sctp = [...this.#services].filter(([, list]) => list.some((f) => f.protocol === "SCTP")).map(([key]) => key);
    this.#condition(inUse, {
      code: "SERVICE_PORT_IN_USE",
      severity: "degraded",
      problem: (n, examples) => `Cannot listen on ${n} service ports as other programs have them: ${examples}`,
      hint: "Stop the program that `ss -lntup` shows there, or give the service another port.",
    });
    this.#condition(refused, {
      code: "SERVICE_LISTEN_FAILED",
      severity: "degraded",
      problem: (n, examples) => `Cannot listen on ${n} service ports as the system refuses: ${examples}`,
      hint: "Run as root, or with CAP_NET_BIND_SERVICE and CAP_NET_ADMIN; it is tried again on every resync.",
    });
    this.#condition(sctp, {
      code: "SERVICE_SCTP_UNSUPPORTED",
      severity: "info",
      problem: (n, examples) => `Cannot carry SCTP of ${n} services as user space has no sockets for it: ${examples}`,
      hint: "Use a kernel with nftables: SCTP works there.",
    });
  }

  #reportLimit(turnedAway: number): void {
    const { connections, sessions } = this.#context.limits;
    const limits = turnedAway > 0 ? [`${connections} connections, ${sessions} UDP callers`] : [];
    this.#condition(limits, {
      code: "SERVICE_LIMIT_REACHED",
      severity: "degraded",
      problem: (_, limit) =>
        `Cannot carry all callers as user space is full: ${turnedAway} were turned away or had been idle for longest, the limits are ${limit}`,
      hint: "Use a kernel with nftables, which carries them without this process, or raise LimitNOFILE where that is low.",
    });
  }

  #condition(places: readonly string[], { code, severity, problem, hint }: ListCondition): void {
    if (places.length === 0) {
      this.#options.health.clear("service", code);
      return;
    }
    const shown = [...places].sort().slice(0, EXAMPLES).join(", ");
    const message = problem(places.length, places.length > EXAMPLES ? `${shown}, …` : shown);
    this.#options.health.raise({ code, component: "service", severity, message, hint });
  }
}

function place({ hostname, port, protocol, frontend }: ListenerSpec): string {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${host}:${port}/${protocol} (${frontend.service})`;
}

function attempt(run: () => void): Result<void, unknown> {
  try {
    return ok(run());
  } catch (error) {
    return fail(error);
  }
}
