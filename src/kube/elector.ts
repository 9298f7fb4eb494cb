import type { Random } from "../base/backoff.ts";
import { type Clock, sleep, type Timer } from "../base/clock.ts";
import { type Duration, milliseconds } from "../base/duration.ts";
import { errorCode } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import type { KubeClient } from "./client.ts";
import {
  confirmRecord,
  type ElectionState,
  isLeading,
  type LeaseTiming,
  leadingUntil,
  newElection,
  observeLease,
  releasedRecord,
  sendRecord,
  stepDown,
  takeableAt,
  wantedRecord,
} from "./election.ts";
import { formatLeaseSpec, formatMicroTime, type LeaseRecord, type ObservedLease, parseLease } from "./lease.ts";
import { LEASES, type ObjectName, objectPath } from "./resource.ts";
import { badResponse } from "./status.ts";
import { KubeWriter } from "./writer.ts";

export interface ElectorOptions {
  readonly client: KubeClient;
  readonly fieldManager: string;
  /** The Lease's namespace and name. */
  readonly lease: ObjectName;
  /** Unlike any other process's, one on the same host included: who comes back under its old name would still lead. */
  readonly identity: string;
  readonly timing: LeaseTiming;
  readonly clock: Clock;
  readonly random: Random;
  /** It leads from now on, until the signal aborts: whatever leads must be done under this signal. */
  readonly onTerm: (term: AbortSignal) => void;
  /** Somebody else holds the lease now, or nobody (""); for people. */
  readonly onHolder: (holder: string) => void;
  /** An attempt failed; the next one comes after the period, or two. */
  readonly onFailure: (error: unknown) => void;
}

/** Those who wait spread their looks by so much of the period. */
const JITTER = 0.2;
/** Who does not lead and is not answered waits for so many periods: it has no lease to lose meanwhile. */
const UNANSWERED_PERIODS = 2;

/**
 * Leader election by a Lease, with Kubernetes' semantics. What the election cannot exclude is a write that was sent in time
 * and arrives late, and two leaders where somebody deletes the Lease: so writes carry the version that they were planned
 * from, and a leader plans from what is there.
 */
export class Elector {
  readonly #options: ElectorOptions;
  readonly #writer: KubeWriter;
  #state: ElectionState;
  #term: AbortController | undefined;
  #deadline: Timer | undefined;
  #holder: string | undefined;
  #answered = true;

  constructor(options: ElectorOptions) {
    this.#options = options;
    this.#state = newElection(options.identity, options.timing);
    // Two tries fit before the deadline.
    const timeout = milliseconds(options.timing.renewDeadline / 2);
    this.#writer = new KubeWriter(options.client, options.fieldManager, timeout);
  }

  /** Asks the clock, so it is true also when no timer could run for a while, as in a process that was stopped. */
  get leading(): boolean {
    return this.#term !== undefined && isLeading(this.#state, this.#options.clock.now());
  }

  /** Who holds the lease as far as is known; empty: nobody. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** When the scope closes, the lease is given up last: what is done under it has to be closed before, so started after. */
  start(scope: Scope): void {
    const running = this.#run(scope.signal);
    scope.onClose("elector", async () => {
      await running;
      await this.#release();
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, onFailure } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#attempt(signal);
        this.#answered = true;
      } catch (error) {
        if (signal.aborted) return;
        this.#answered = false;
        onFailure(error);
      }
      await sleep(clock, this.#pause(), signal);
    }
  }

  /** Renews what it holds; reads what it does not, and takes it when it may. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    if (this.leading) {
      try {
        await this.#write(wantedRecord(this.#state, this.#time()), signal);
        return;
      } catch (error) {
        // Somebody wrote it, perhaps we: a write whose answer was lost.
        if (!["KUBE_CONFLICT", "KUBE_NOT_FOUND"].includes(errorCode(error))) throw error;
      }
    }
    const lease = await this.#read(signal);
    this.#become(observeLease(this.#state, lease, clock.now()));
    if (takeableAt(this.#state, clock.now()) !== undefined) return;
    await this.#write(wantedRecord(this.#state, this.#time()), signal).catch((error) => {
      // Another was quicker; its record is read next time.
      if (errorCode(error) !== "KUBE_CONFLICT") throw error;
    });
  }

  async #read(signal: AbortSignal): Promise<ObservedLease | undefined> {
    const { client, lease, timing } = this.#options;
    const path = objectPath(LEASES, lease);
    const timeout = milliseconds(timing.renewDeadline / 2);
    const json = await client.send({ verb: "get", method: "GET", path, timeout }, signal).catch((error) => {
      if (errorCode(error) === "KUBE_NOT_FOUND") return undefined;
      throw error;
    });
    if (json === undefined) return undefined;
    const parsed = parseLease(json);
    if (parsed.ok) return parsed.value;
    throw badResponse(`get ${path}`, `${parsed.error.at}: ${parsed.error.why}`);
  }

  async #write(record: LeaseRecord, signal: AbortSignal): Promise<void> {
    this.#state = sendRecord(this.#state, record, this.#options.clock.now());
    this.#become(confirmRecord(this.#state, await this.#put(record, signal)));
  }

  /** @returns the version that it left behind */
  async #put(record: LeaseRecord, signal: AbortSignal): Promise<string> {
    const { lease: name } = this.#options;
    const spec = formatLeaseSpec(record);
    const known = this.#state.lease?.resourceVersion;
    const { resourceVersion } =
      known === undefined
        ? await this.#writer.create(LEASES, { metadata: name, spec }, signal)
        : await this.#writer.merge(LEASES, name, { metadata: { resourceVersion: known }, spec }, signal);
    return resourceVersion;
  }

  #become(state: ElectionState): void {
    const { clock, onTerm, onHolder } = this.#options;
    this.#state = state;
    this.#deadline?.cancel();
    const now = clock.now();
    const until = leadingUntil(state);
    const leading = isLeading(state, now);
    if (leading && until !== undefined) {
      this.#deadline = clock.after((until - now) as Duration, () => this.#become(stepDown(this.#state)));
    }
    const holder = state.lease?.record.holder ?? "";
    if (holder !== this.#holder) {
      this.#holder = holder;
      onHolder(holder);
    }
    if (leading && this.#term === undefined) {
      this.#term = new AbortController();
      onTerm(this.#term.signal);
    } else if (!leading && this.#term !== undefined) {
      const term = this.#term;
      this.#term = undefined;
      term.abort();
    }
  }

  #pause(): Duration {
    const { clock, random, timing } = this.#options;
    if (this.leading) return timing.retryPeriod;
    const periods = (this.#answered ? 1 : UNANSWERED_PERIODS) + JITTER * random();
    const period = milliseconds(timing.retryPeriod * periods);
    const now = clock.now();
    const free = takeableAt(this.#state, now);
    return free === undefined ? period : milliseconds(Math.min(period, free - now));
  }

  async #release(): Promise<void> {
    const record = this.#state.lease?.record;
    const held = record !== undefined && this.leading;
    this.#become(stepDown(this.#state));
    if (!held) return;
    // Where it fails, the others wait for the lease to run out.
    await this.#put(releasedRecord(record, this.#time()), new AbortController().signal).catch(this.#options.onFailure);
  }

  #time(): string {
    return formatMicroTime(this.#options.clock.wall());
  }
}
