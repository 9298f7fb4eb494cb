import type { BackoffPolicy, Random } from "../../src/base/backoff.ts";
import { type Clock, sleep } from "../../src/base/clock.ts";
import { milliseconds, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { InformerStatus } from "../../src/kube/informer.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import { watchRouting } from "../../src/linux/routing-events.ts";
import { type ConnectorPublication, type EdgeClaim, planHolders } from "../../src/network/connector-claims.ts";
import type { FabricCredentials } from "../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import { planTunnelConnection } from "../../src/network/tunnel-connection.ts";
import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { PacedTrigger } from "../../src/reconcile/paced-trigger.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import type { CharonState, TunnelKeeping, TunnelListener } from "../../src/strongswan/tunnel-state.ts";
import { CONNECTOR_CODES, judgeConnector } from "./conditions.ts";
import { Departures } from "./departures.ts";
import { Fabric, type FabricState } from "./fabric.ts";
import type { ConnectorPlace } from "./facts.ts";
import { familiesNotForwarded } from "./forwarding.ts";
import { ConnectorObserver } from "./observer.ts";
import { sightOf, type TunnelSight } from "./peer-tunnels.ts";
import { Publisher } from "./publisher.ts";
import { startPulse } from "./pulse.ts";
import { type PeerTunnel, planReach } from "./reach-plan.ts";
import type { Snapshot } from "./snapshot.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { Standings } from "./standings.ts";

export interface ConnectorOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** The Kubernetes node's name. */
  readonly node: string;
  readonly calico: boolean;
  /** What the run before this one has heard. */
  readonly snapshot: Snapshot;
  /** Keeps a snapshot for the next run. */
  readonly remember: (text: string) => void;
  readonly openTunnels: (listener: TunnelListener, scope: Scope) => TunnelKeeping;
  readonly health: Health;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ConnectorStatus {
  /** Why it cannot let edges in; undefined: it can. */
  readonly notReady: string | undefined;
  readonly kinds: readonly InformerStatus[];
  readonly charon: CharonState;
  readonly edges: number;
  /** Edges that it holds. */
  readonly held: number;
}

/** Whom the API server knows our fields by. */
const FIELD_MANAGER = "selvedge-connector";
/** Everything is looked at again: what another program took away without a word comes back. */
const EVERY = seconds(30);
const RETRY: BackoffPolicy = { initial: milliseconds(100), factor: 2, limit: seconds(10) };
/** Events come in crowds, and so do edges. */
const GATHER = milliseconds(20);
/** The pod network of a busy node writes routes all the time: they are looked at so often at most. */
const KERNEL_PAUSE = seconds(1);
/** So long a starting connector leaves the routes of its last run to a charon that does not tell what it has. */
const PATIENCE = seconds(10);
/** For an answer of a hundred bytes. */
const PULSE_PATIENCE = seconds(3);
/** A pod that ends takes charon along; the container of the connector alone does not. */
const AWAIT_CHARONS_END = seconds(2);
/** Its last word must not hold up the end of the pod. */
const LAST_WORD = seconds(3);

/**
 * A connector of the cluster: lets edges in, sends to each what is for it, by its tunnel or by the connector that holds
 * it, and tells the cluster whom it holds. Whatever it depends on may be away: it goes on with what it knew, and what it
 * put into the kernel and charon stays there when it ends.
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #scope: Scope;
  readonly #fabric = new Fabric();
  readonly #observer: ConnectorObserver;
  readonly #tunnels: TunnelKeeping;
  readonly #publisher: Publisher;
  readonly #reconciler: Reconciler;
  readonly #standings = new Standings();
  readonly #sights = new Map<string, TunnelSight>();
  readonly #departures: Departures;
  #wanted: { readonly config: NodeConfig; readonly credentials: FabricCredentials } | undefined;
  #claims: readonly EdgeClaim[] = [];
  #state: FabricState | undefined;
  #isPublicationWhole = true;
  #publishing: unknown;
  #onCharon: () => void;
  #metCharon = false;
  #espSeen = false;
  #hasWaited = false;

  constructor(options: ConnectorOptions, scope: Scope) {
    const { client, namespace, node, calico, snapshot, clock, random, log } = options;
    this.#options = options;
    this.#scope = scope;
    const look = () => void this.#reconciler.trigger();
    this.#onCharon = look;
    // Closing goes the other way: the kernel's sockets are needed until the end.
    scope.onClose("fabric", () => this.#fabric.close());
    scope.onClose("last word", () => this.#conclude());
    const published = (failure?: unknown) => {
      this.#publishing = failure;
      this.#judge();
    };
    this.#publisher = new Publisher(
      {
        ...{ writer: new KubeWriter(client, FIELD_MANAGER), namespace, clock, random },
        ...{ onFailure: published, onSuccess: published },
      },
      scope,
    );
    this.#reconciler = new Reconciler(
      {
        ...{ every: EVERY, backoff: RETRY },
        run: (full) => this.#look(full),
        onFailure: (error) => log.warn("connector.failed", errorText(error), { code: errorCode(error) }),
        onSuccess: () => this.#judge(),
      },
      ...([clock, random, scope] as const),
    );
    const onCharon = () => this.#onCharon();
    this.#tunnels = options.openTunnels({ onTunnel: look, onTunnelGone: look, onCharon }, scope);
    this.#departures = new Departures({
      end: (edge) => this.#tunnels.drop(edge),
      holds: (edge) => this.#standings.holds(edge),
    });
    const memory = new SnapshotKeeper(
      {
        ...{ clock, write: options.remember, snapshot: () => this.#observer.snapshot },
        onFailure: (error) => log.warn("connector.memory", errorText(error), { code: errorCode(error) }),
      },
      scope,
    );
    const onChange = () => {
      memory.note();
      look();
    };
    this.#observer = new ConnectorObserver(
      { client, namespace, node, calico, snapshot, clock, random, log, onChange },
      scope,
    );
    const question = { verb: "get", method: "GET", path: "/version", timeout: PULSE_PATIENCE } as const;
    const onReturn = () => {
      log.info("connector.return", "The API server is back: everything is asked for anew");
      this.#observer.relist();
      this.#publisher.hurry();
    };
    startPulse({ ask: (signal) => client.send(question, signal), onReturn, clock }, scope);
    const patience = clock.after(PATIENCE, () => {
      this.#hasWaited = true;
      look();
    });
    scope.onClose("patience", () => patience.cancel());
    scope.onClose("charon", () => this.#awaitCharonsEnd());
    look();
  }

  /** From here on hears of changes that other programs make to the routes. */
  async watchRoutes(): Promise<void> {
    const { clock, log } = this.#options;
    const trigger = new PacedTrigger((full) => void this.#reconciler.trigger(full), KERNEL_PAUSE, clock, this.#scope);
    const onFailure = (error: unknown) => log.warn("connector.events", errorText(error), { code: errorCode(error) });
    const events = await watchRouting(
      this.#fabric.route,
      (change) => trigger.changed(this.#fabric.concerns(change)),
      onFailure,
    );
    this.#scope.onClose("routing events", () => events.close());
  }

  get status(): ConnectorStatus {
    const [worst] = this.#options.health.list();
    const failure = worst?.severity === "failed" ? worst.message : undefined;
    return {
      notReady: failure ?? (this.#state === undefined ? "it has not written any routes yet" : undefined),
      kinds: this.#observer.kinds,
      charon: this.#tunnels.charon,
      edges: edgesOf(this.#observer.facts.config).length,
      held: this.#claims.length,
    };
  }

  async #look(full: boolean): Promise<void> {
    const { clock, node } = this.#options;
    await sleep(clock, GATHER, this.#scope.signal);
    const { config, credentials, place, publications } = this.#observer.facts;
    if (config === undefined || this.#scope.signal.aborted) return;
    if (credentials !== undefined) this.#want(config, credentials);
    const isSettled = this.#see(config) || this.#hasWaited;
    const own = publications.get(node);
    const holders = planHolders([...publications.values()].filter((other) => other !== own));
    const { claims, dropped } = this.#standings.look({
      node,
      edges: edgesOf(config),
      carriers: (edge) => this.#sights.get(edge)?.carriers,
      holders,
      published: new Map(own?.edges.map((claim) => [claim.name, claim])),
    });
    this.#claims = claims;
    void this.#departures.add(dropped);
    if (isSettled) {
      const reach = planReach(config, this.#held(config), holders);
      this.#state = this.#fabric.apply(
        reach,
        config.endpoint,
        place?.addresses ?? [],
        full || this.#state === undefined,
      );
    }
    this.#publish(own);
  }

  #want(config: NodeConfig, credentials: FabricCredentials): void {
    if (config === this.#wanted?.config && credentials === this.#wanted.credentials) return;
    this.#wanted = { config, credentials };
    const { endpoint, peers } = config;
    const { certificates, key, authorities } = credentials;
    this.#tunnels.want({
      localId: endpoint.id,
      connections: peers.map((peer) => planTunnelConnection(endpoint, peer)),
      credentials: { certificates, privateKeys: [key.reveal()], authorities },
    });
  }

  /** @returns whether it is known of every peer what charon has of it */
  #see({ peers }: NodeConfig): boolean {
    const names = new Set(peers.map(({ name }) => name));
    for (const name of this.#sights.keys()) if (!names.has(name)) this.#sights.delete(name);
    // What a charon had that is away now may still be carried by the kernel.
    if (this.#tunnels.charon.phase === "connected") {
      this.#metCharon = true;
      for (const name of names) {
        const state = this.#tunnels.tunnel(name);
        const sight = state && sightOf(state);
        if (sight !== undefined) this.#sights.set(name, sight);
      }
    }
    return this.#sights.size === names.size;
  }

  #held({ peers }: NodeConfig): ReadonlyMap<string, PeerTunnel> {
    const held = new Map<string, PeerTunnel>();
    for (const { name, type } of peers) {
      const tunnel = this.#sights.get(name)?.tunnel;
      if (tunnel !== undefined && (type === "Connector" || this.#standings.holds(name))) held.set(name, tunnel);
    }
    return held;
  }

  /** Not before the others were heard: a claim is above all of theirs. */
  #publish(own: ConnectorPublication | undefined): void {
    const { place } = this.#observer.facts;
    if (place === undefined || !this.#observer.synced) return;
    const publication = this.#publication(place, this.#claims);
    this.#isPublicationWhole = this.#publisher.publish(publication, place.uid, own);
  }

  #publication({ addresses, prefixes }: ConnectorPlace, edges: readonly EdgeClaim[]): ConnectorPublication {
    return { node: this.#options.node, address: addresses[0], prefixes, edges };
  }

  #judge(): void {
    const { health } = this.#options;
    const facts = this.#observer.facts;
    const findings = judgeConnector({
      facts,
      isStarting: !this.#hasWaited,
      credentialTrouble: this.#observer.credentialTrouble,
      charon: this.#tunnels.charon,
      fabric: this.#state,
      hasEsp: this.#hasEsp(),
      notForwarded: facts.config === undefined ? [] : familiesNotForwarded(facts.config.endpoint.subnets),
      publishing: { failure: this.#publishing, isWhole: this.#isPublicationWhole },
    });
    for (const code of CONNECTOR_CODES) {
      const finding = findings.find((found) => found.code === code);
      if (finding === undefined) health.clear("connector", code);
      else health.raise({ ...finding, component: "connector" });
    }
  }

  /** Asked until there is: a module that is loaded later counts. */
  #hasEsp(): boolean {
    this.#espSeen ||= this.#fabric.hasEsp;
    return this.#espSeen;
  }

  async #awaitCharonsEnd(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(AWAIT_CHARONS_END, resolve);
      this.#onCharon = () => {
        if (this.#tunnels.charon.phase !== "absent") return;
        timer.cancel();
        resolve();
      };
      this.#onCharon();
    });
  }

  /** A charon that is gone has said good-bye to its edges; one that stays carries on, and so does what was said of it. */
  async #conclude(): Promise<void> {
    const { place } = this.#observer.facts;
    if (place === undefined || !this.#metCharon || this.#tunnels.charon.phase !== "absent") return;
    const { clock, log } = this.#options;
    const limit = new AbortController();
    const timer = clock.after(LAST_WORD, () => limit.abort());
    try {
      await this.#publisher.conclude(this.#publication(place, []), place.uid, limit.signal);
    } catch (error) {
      log.warn("connector.conclude", errorText(error), { code: errorCode(error) });
    } finally {
      timer.cancel();
    }
  }
}

function edgesOf(config: NodeConfig | undefined): readonly TunnelEndpoint[] {
  return config?.peers.filter(({ type }) => type !== "Connector") ?? [];
}
