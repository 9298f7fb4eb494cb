import type { Random } from "../base/backoff.ts";
import { type Clock, elapsed, type MonotonicTime, type Timer } from "../base/clock.ts";
import { type Duration, milliseconds, seconds } from "../base/duration.ts";
import { errorCode, errorText } from "../base/errors.ts";
import type { Scope } from "../base/scope.ts";
import { isFabricConnection, type TunnelConnection } from "../network/tunnel-connection.ts";
import type { ViciSection } from "../wire/vici-message.ts";
import type { CharonCommands } from "./charon-commands.ts";
import { CharonLink } from "./charon-link.ts";
import { ConnectionLoader } from "./connection-loader.ts";
import { HostNames, type ResolveHost } from "./host-names.ts";
import { planTunnels, type TunnelsPlan } from "./keeper-plan.ts";
import type { IkeAssociation } from "./security-association.ts";
import { failureOf } from "./tunnel-failure.ts";
import { isComing, isUp, stateDigest, tunnelState } from "./tunnel-look.ts";
import { planReplacement, type TunnelAction, type TunnelPlan } from "./tunnel-plan.ts";
import type {
  CharonState,
  TunnelFailure,
  TunnelKeeping,
  TunnelListener,
  TunnelState,
  WantedTunnels,
} from "./tunnel-state.ts";
import { charonAbsent } from "./vici-session.ts";

/**
 * Events tell of changes; this finds what they did not tell. A list of 1,000 SAs takes 0.1 s: lists shall not take more than
 * half a percent of the time, nor be further apart than a minute.
 */
const LIST_EVERY = seconds(10);
const LIST_EVERY_FACTOR = 200;
const LIST_AT_LEAST_EVERY = seconds(60);
/** While something is begun, its end may come without an event. */
const LIST_WHILE_TRYING = milliseconds(500);
/** Many events come together: after a list nothing is listed for a moment, and as long as it took, of all three times. */
const LIST_PAUSE = milliseconds(5);
const LIST_PAUSE_FACTOR = 1;
const LIST_ALL_PAUSE_FACTOR = 3;
/** More connections than these, and than this part of all that have SAs, are listed together with all others. */
const LIST_ONE_BY_ONE = 4;
const LIST_ONE_BY_ONE_PART = 1 / 16;

/** What charon says of an IKE_SA so soon after a failure is what follows from that. */
const CONSEQUENCES = seconds(1);

export interface ConnectionKeeperOptions {
  readonly viciSocket: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly resolve: ResolveHost;
  readonly listener: TunnelListener;
}

/** What was told of a tunnel, and what it was made of. */
interface Published {
  readonly state: TunnelState;
  readonly digest: string;
  readonly source: readonly unknown[];
}

/**
 * Keeps charon as wanted: credentials and connections loaded, each tunnel of which this end is to begin begun, one IKE_SA a
 * peer, nothing left of what is not wanted any more. It adopts what an earlier run left, and finds its way whenever charon
 * restarts, hangs or forgets. Connections and SAs of others are never touched.
 */
export class ConnectionKeeper implements TunnelKeeping {
  readonly #options: ConnectionKeeperOptions;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #link: CharonLink;
  readonly #hosts: HostNames;
  readonly #loader: ConnectionLoader;
  #wanted: WantedTunnels | undefined;
  /** By name. */
  #wantedTunnels: ReadonlyMap<string, TunnelConnection> = new Map();
  #commands: CharonCommands | undefined;
  #refusal: string | undefined;
  /** Connections that this end is done with: until their SAs are gone. */
  readonly #leaving = new Set<string>();
  readonly #failures = new Map<string, TunnelFailure & { readonly ikeId: number | undefined }>();
  #plans: ReadonlyMap<string, TunnelPlan> = new Map();
  #associations = new Map<string, readonly IkeAssociation[]>();
  readonly #states = new Map<string, Published>();
  /** Tunnels whose state may be another one than listeners were told. */
  #untold: Set<string> | "all" = "all";
  /** The wanted connections with addresses in place of names. */
  #connections: readonly TunnelConnection[] = [];
  /** Connections whose SAs may be others than they were. */
  #stale: Set<string> | "all" = "all";
  /** The last list of all, and how long it took. */
  #listedAt = 0 as MonotonicTime;
  #listCost = 0;
  #isTrying = false;
  #listNotBefore = 0 as MonotonicTime;
  #timer: Timer | undefined;
  #isRunning = false;
  #isWanted = false;

  constructor(options: ConnectionKeeperOptions, scope: Scope) {
    this.#options = options;
    this.#clock = options.clock;
    this.#scope = scope;
    this.#loader = new ConnectionLoader(options.clock);
    this.#hosts = new HostNames(options.resolve, options.clock, scope, () => {
      this.#resolve();
      this.#wake();
    });
    scope.onClose("keeper of connections", () => this.#timer?.cancel());
    this.#link = new CharonLink(options.viciSocket, options.clock, options.random, scope, {
      onConnected: (commands) => {
        this.#commands = commands;
        this.#loader.reset();
        this.#untold = "all";
        this.#changed();
      },
      onEvent: (name, message) => this.#hear(name, message),
      onState: (state) => {
        if (state.phase !== "connected") this.#commands = undefined;
        options.listener.onCharon(this.#charonState(state));
      },
    });
  }

  get charon(): CharonState {
    return this.#charonState(this.#link.state);
  }

  tunnel(name: string): TunnelState | undefined {
    return this.#states.get(name)?.state;
  }

  tunnels(): readonly TunnelState[] {
    return [...this.#states.values()].map(({ state }) => state);
  }

  want(wanted: WantedTunnels): void {
    const before = this.#wanted?.connections ?? [];
    this.#wanted = wanted;
    this.#wantedTunnels = new Map(wanted.connections.map((connection) => [connection.name, connection]));
    this.#untold = "all";
    for (const { name } of before) if (!this.#wantedTunnels.has(name)) this.#leaving.add(name);
    for (const name of this.#wantedTunnels.keys()) this.#leaving.delete(name);
    this.#forgetPatience(before, wanted.connections);
    this.#hosts.want(wanted.connections.flatMap((connection) => connection.remoteAddresses));
    this.#resolve();
    this.#publish();
    this.#wake();
  }

  replace(name: string): void {
    const connection = this.#connections.find((wanted) => wanted.name === name);
    const before = this.#plans.get(name);
    if (connection === undefined || before === undefined) return;
    const associations = this.#associations.get(name) ?? [];
    const plan = planReplacement({ ...before, connection }, associations, this.#clock.now());
    this.#plans = new Map([...this.#plans, [name, plan.tunnel]]);
    const commands = this.#commands;
    // What fails here fails with the session, and with it all that was to be replaced.
    if (commands !== undefined) for (const action of plan.actions) this.#act(commands, action).catch(() => {});
    this.#changed(name);
  }

  async drop(name: string): Promise<void> {
    const commands = this.#require();
    for (const sa of await commands.associations(name)) await commands.terminate({ ikeId: sa.uniqueId }, true);
    this.#changed(name);
  }

  async associations(name: string): Promise<readonly IkeAssociation[]> {
    // As in a state: after a failover the one of a connector that is gone stands beside its successor for some seconds.
    return (await this.#require().associations(name)).toSorted((a, b) => b.uniqueId - a.uniqueId);
  }

  #require(): CharonCommands {
    if (this.#commands !== undefined) return this.#commands;
    throw charonAbsent(this.#options.viciSocket, this.charon.failure ?? "it was not reached yet");
  }

  #charonState(state: CharonState): CharonState {
    return { ...state, failure: state.failure ?? this.#refusal };
  }

  #hear(event: string, message: ViciSection): void {
    if (event !== "log") {
      for (const [connection] of message.sections()) this.#changed(connection);
      return;
    }
    const failure = failureOf(message);
    if (failure === undefined || !this.#states.has(failure.connection)) return;
    this.#fail(failure.connection, failure.text, failure.ikeId);
    this.#changed(failure.connection);
  }

  #fail(name: string, text: string, ikeId?: number): void {
    const before = this.#failures.get(name);
    const now = this.#clock.now();
    const follows = before !== undefined && before.ikeId === ikeId && elapsed(before.at, now) < CONSEQUENCES;
    if (follows) return;
    this.#failures.set(name, { at: now, text, ikeId });
    this.#tellLater(name);
  }

  #tellLater(name: string): void {
    if (this.#untold !== "all") this.#untold.add(name);
  }

  /** The SAs of that connection, or of all, may be others than they were. */
  #changed(name?: string): void {
    if (name === undefined) this.#stale = "all";
    else if (this.#stale !== "all") this.#stale.add(name);
    this.#wake();
  }

  #wake(): void {
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let next: Duration | undefined;
    while (this.#isWanted && !this.#scope.signal.aborted) {
      this.#isWanted = false;
      next = await this.#pass();
    }
    this.#isRunning = false;
    this.#timer?.cancel();
    if (next !== undefined && !this.#scope.signal.aborted) this.#timer = this.#clock.after(next, () => this.#wake());
  }

  /** Observe, plan, apply, once. @returns when the next one is due if nothing happens; undefined: with the next session */
  async #pass(): Promise<Duration | undefined> {
    const [commands, wanted] = [this.#commands, this.#wanted];
    if (commands === undefined || wanted === undefined) return undefined;
    try {
      await this.#load(commands, wanted);
      if (this.#listIn() <= 0) await this.#list(commands);
      else if (this.#isStale) {
        // How what was begun has ended is not judged by what there was before.
        this.#publish();
        return milliseconds(Math.max(1, this.#listIn()));
      }
      const plan = this.#plan();
      const actions = [...plan.actions, ...this.#farewells(wanted)];
      for (const action of actions) await this.#act(commands, action);
      for (const action of actions) if (this.#stale !== "all") this.#stale.add(action.connection);
      this.#publish();
      return milliseconds(Math.max(1, Math.min(this.#listIn(), plan.wakeIn ?? LIST_EVERY)));
    } catch (error) {
      // The session is over, and the link says why.
      if (this.#commands !== commands) return undefined;
      this.#refuse(errorText(error));
      this.#loader.changed();
      return LIST_EVERY;
    }
  }

  async #load(commands: CharonCommands, wanted: WantedTunnels): Promise<void> {
    if (!this.#loader.isDue) return;
    const { failures, credentialFailure, unloaded } = await this.#loader.sync(commands, wanted, this.#connections);
    this.#untold = "all";
    for (const [name, text] of failures) this.#fail(name, text);
    for (const name of unloaded) this.#leaving.add(name);
    this.#refuse(credentialFailure);
  }

  /** What charon does not take of what concerns all tunnels. */
  #refuse(why: string | undefined): void {
    if (why === this.#refusal) return;
    this.#refusal = why;
    this.#options.listener.onCharon(this.charon);
  }

  get #isStale(): boolean {
    return this.#stale === "all" || this.#stale.size > 0;
  }

  #listIn(): number {
    const now = this.#clock.now();
    if (this.#isStale) return this.#listNotBefore - now;
    const every = Math.max(this.#isTrying ? LIST_WHILE_TRYING : LIST_EVERY, LIST_EVERY_FACTOR * this.#listCost);
    return Math.max(this.#listedAt + Math.min(every, LIST_AT_LEAST_EVERY), this.#listNotBefore) - now;
  }

  async #list(commands: CharonCommands): Promise<void> {
    const begun = this.#clock.now();
    const stale = this.#stale;
    this.#stale = new Set();
    let pauseFactor = LIST_PAUSE_FACTOR;
    const few = Math.max(LIST_ONE_BY_ONE, LIST_ONE_BY_ONE_PART * this.#associations.size);
    if (stale !== "all" && stale.size > 0 && stale.size <= few) {
      for (const name of stale) {
        const associations = await commands.associations(name);
        if (associations.length > 0 || this.#wantedTunnels.has(name)) this.#associations.set(name, associations);
        else this.#associations.delete(name);
        this.#tellLater(name);
      }
    } else {
      this.#associations = Map.groupBy(await commands.associations(), ({ name }) => name);
      this.#untold = "all";
      this.#listedAt = this.#clock.now();
      this.#listCost = this.#listedAt - begun;
      pauseFactor = LIST_ALL_PAUSE_FACTOR;
    }
    const now = this.#clock.now();
    this.#listNotBefore = (now + Math.max(LIST_PAUSE, pauseFactor * (now - begun))) as MonotonicTime;
  }

  #plan(): TunnelsPlan {
    const plan = planTunnels({
      now: this.#clock.now(),
      random: this.#options.random,
      connections: this.#connections.filter(({ name }) => this.#loader.isLoaded(name)),
      associations: this.#associations,
      tunnels: this.#plans,
    });
    this.#plans = plan.tunnels;
    this.#isTrying = plan.tunnels.values().some(({ memory }) => memory.trying !== undefined);
    return plan;
  }

  /** Ends SAs of ours that nobody wants: of connections unloaded now, or by an earlier run. */
  #farewells(wanted: WantedTunnels): readonly TunnelAction[] {
    return [...this.#associations].flatMap(([connection, associations]) => {
      if (this.#wantedTunnels.has(connection)) return [];
      const isOurs = ({ localId, children }: IkeAssociation) =>
        isFabricConnection({ name: connection, localId, childNames: children.map(({ name }) => name) }, wanted.localId);
      const ended = associations.filter(
        (sa) => (isUp(sa) || isComing(sa)) && (this.#leaving.has(connection) || isOurs(sa)),
      );
      return ended.map((sa) => {
        const which = { ikeId: sa.uniqueId };
        return { do: "terminate", connection, which, force: isComing(sa) } as const;
      });
    });
  }

  async #act(commands: CharonCommands, action: TunnelAction): Promise<void> {
    if (action.do === "terminate") {
      await commands.terminate(action.which, action.force);
      return;
    }
    try {
      const connection = action.turned ?? (action.form && this.#plans.get(action.connection)?.connection);
      const own = this.#wanted?.credentials.certificates.slice(0, 1) ?? [];
      if (connection !== undefined) await commands.loadConnection(connection, own, action.form);
      await commands.initiate(action.connection, action.child);
    } catch (error) {
      if (errorCode(error) !== "CHARON_REFUSED") throw error;
      this.#fail(action.connection, errorText(error));
    }
  }

  /** Puts the addresses that are known now in place of names. */
  #resolve(): void {
    this.#connections = (this.#wanted?.connections ?? []).map((connection) => ({
      ...connection,
      remoteAddresses: this.#hosts.addresses(connection.remoteAddresses),
    }));
    this.#loader.changed();
  }

  /** What failed as it was wanted before may succeed now. */
  #forgetPatience(before: readonly TunnelConnection[], now: readonly TunnelConnection[]): void {
    const old = new Map(before.map((connection) => [connection.name, connection]));
    const plans = new Map(this.#plans);
    for (const connection of now) {
      const own = plans.get(connection.name);
      if (own === undefined || Bun.deepEquals(old.get(connection.name), connection)) continue;
      const at = this.#clock.now();
      const memory = { ...own.memory, failures: 0, nextTry: at, address: 0, corrections: 0, nextCorrection: at };
      plans.set(connection.name, { ...own, memory, until: at });
    }
    this.#plans = plans;
  }

  #tell(name: string): void {
    const connection = this.#wantedTunnels.get(name);
    if (connection === undefined) return;
    const failure = this.#failures.get(name);
    const source = [connection, this.#associations.get(name), this.#loader.isLoaded(name), failure] as const;
    const before = this.#states.get(name);
    // Nothing that a state is made of has changed.
    if (before?.source.every((part, i) => part === source[i]) === true) return;
    const state = tunnelState(connection, source[1] ?? [], source[2], failure);
    if (state.phase === "up") this.#failures.delete(name);
    const digest = stateDigest(state);
    this.#states.set(name, { state, digest, source });
    if (before?.digest !== digest) this.#options.listener.onTunnel(state);
  }

  #publish(): void {
    const untold = this.#untold === "all" ? this.#wantedTunnels.keys() : this.#untold;
    const isWhole = this.#untold === "all";
    this.#untold = new Set();
    for (const name of untold) this.#tell(name);
    if (!isWhole && this.#leaving.size === 0) return;
    for (const name of this.#leaving) {
      if ((this.#associations.get(name) ?? []).length > 0) continue;
      this.#leaving.delete(name);
    }
    for (const name of this.#states.keys()) {
      if (this.#wantedTunnels.has(name) || this.#leaving.has(name)) continue;
      this.#states.delete(name);
      this.#failures.delete(name);
      this.#options.listener.onTunnelGone(name);
    }
  }
}
