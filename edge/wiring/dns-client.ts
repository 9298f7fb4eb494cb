import { type Clock, elapsed, type MonotonicTime } from "../../src/base/clock.ts";
import { type Duration, formatDuration, milliseconds, seconds } from "../../src/base/duration.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { LogSink } from "../../src/base/log.ts";
import type { Locality } from "../../src/network/global-service.ts";
import type { Inside } from "../../src/network/inside.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceIndex } from "../../src/network/service-index.ts";
import type { DnsStatus, ResolvedName } from "../dns/dns.ts";
import { nameView } from "../dns/plan.ts";
import { STALL } from "../status/watchdog.ts";
import type {
  DnsAnswer,
  DnsQuestion,
  DnsSettings,
  FromDns,
  GlobalServiceChanges,
  Port,
  ServiceChanges,
  ToDns,
} from "./dns-messages.ts";

export interface DnsClientDeps {
  readonly port: Port<FromDns, ToDns>;
  readonly clock: Clock;
  /** Where the thread's log goes; it has the levels already. */
  readonly logSink: LogSink;
  readonly health: Health;
}

interface Waiting {
  readonly settle: (value: DnsAnswer) => void;
  readonly fail: (error: SelvedgeError) => void;
}

/** A forwarded name may take its five seconds (the forwarder's deadline); the rest is answered at once. */
const ANSWER_WITHIN = seconds(6);
/** In one message: about two milliseconds of the thread, between which it answers queries. */
const SERVICES_PER_MESSAGE = 256;
/** The same for services of several clusters, which have few endpoints or thousands: each counts as one more. */
const GLOBAL_ENDPOINTS_PER_MESSAGE = 1024;

/** The DNS thread, as the rest of the agent sees it. */
export class DnsClient {
  readonly #deps: DnsClientDeps;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #heard: MonotonicTime;
  #worstLagMs = 0;

  constructor(deps: DnsClientDeps) {
    this.#deps = deps;
    this.#heard = deps.clock.now();
    deps.port.receive((message) => this.#take(message));
  }

  /** Resolves once the sockets have been tried. @throws SelvedgeError DNS_ZONE_INVALID, DNS_SILENT */
  async start(settings: DnsSettings, inside: Inside): Promise<void> {
    await this.#ask({ about: "start", settings, inside });
  }

  /** Resolves once all queries are answered that came before, and later ones wait for the next run. @throws DNS_SILENT */
  async stop(): Promise<void> {
    await this.#ask({ about: "stop" });
  }

  update(index: ServiceIndex, changed: ReadonlySet<ObjectKey>): void {
    const keys = [...changed];
    for (let at = 0; at < keys.length; at += SERVICES_PER_MESSAGE) {
      const changes: ServiceChanges = keys.slice(at, at + SERVICES_PER_MESSAGE).map((key) => {
        const view = index.get(key);
        return [key, view === undefined ? null : nameView(view)];
      });
      this.#deps.port.send({ kind: "services", json: JSON.stringify(changes) });
    }
  }

  /** Takes services of several clusters out of what changed. */
  updateGlobals(changes: readonly ObjectChange[]): void {
    let gathered: GlobalServiceChanges[number][] = [];
    let endpoints = 0;
    const send = () => {
      if (gathered.length > 0) this.#deps.port.send({ kind: "globals", json: JSON.stringify(gathered) });
      [gathered, endpoints] = [[], 0];
    };
    for (const change of changes) {
      if (change.kind !== "GlobalService") continue;
      gathered.push([change.key, change.value ?? null]);
      endpoints += 1 + (change.value?.endpoints.length ?? 0);
      if (endpoints >= GLOBAL_ENDPOINTS_PER_MESSAGE) send();
    }
    send();
  }

  setLocality(locality: Locality): void {
    this.#deps.port.send({ kind: "locality", locality });
  }

  setInside(inside: Inside): void {
    this.#deps.port.send({ kind: "inside", inside });
  }

  /** @throws SelvedgeError DNS_SILENT */
  async status(): Promise<DnsStatus | undefined> {
    return (await this.#ask({ about: "status" })) as DnsStatus | undefined;
  }

  /** In Prometheus' text format. @throws SelvedgeError DNS_SILENT */
  async metrics(): Promise<string> {
    return (await this.#ask({ about: "metrics" })) as string;
  }

  /** @throws SelvedgeError DNS_NAME_INVALID, DNS_SILENT */
  async resolve(name: string, type: number): Promise<ResolvedName> {
    return (await this.#ask({ about: "name", name, type })) as ResolvedName;
  }

  /** Whether the thread's loop turned lately. */
  alive(): boolean {
    return elapsed(this.#heard, this.#deps.clock.now()) < STALL;
  }

  takeWorstLag(): Duration {
    const worst = this.#worstLagMs;
    this.#worstLagMs = 0;
    return milliseconds(worst);
  }

  #ask(question: DnsQuestion): Promise<DnsAnswer> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve: settle, reject: fail } = Promise.withResolvers<DnsAnswer>();
    this.#waiting.set(id, { settle, fail });
    // A slow machine may take its time to begin: then only a thread that stands still is given up.
    const within = question.about === "start" ? STALL : ANSWER_WITHIN;
    const timer = this.#deps.clock.after(within, () => fail(silent(question, within)));
    this.#deps.port.send({ kind: "question", id, question });
    return promise.finally(() => {
      timer.cancel();
      this.#waiting.delete(id);
    });
  }

  #take(message: FromDns): void {
    const { logSink, health, clock } = this.#deps;
    this.#heard = clock.now();
    switch (message.kind) {
      case "answer":
        this.#waiting.get(message.id)?.settle(message.value);
        break;
      case "failure": {
        const { message: text, ...details } = message.failure;
        this.#waiting.get(message.id)?.fail(new SelvedgeError(text, details));
        break;
      }
      case "log":
        logSink(message.record);
        break;
      case "condition":
        if (message.raised) health.raise(message.condition);
        else health.clear(message.condition.component, message.condition.code);
        break;
      case "beat":
        this.#worstLagMs = Math.max(this.#worstLagMs, message.lagMs);
        break;
    }
  }
}

function silent({ about }: DnsQuestion, within: Duration): SelvedgeError {
  return new SelvedgeError(
    `Cannot ask the DNS thread for its ${about} as it does not answer within ${formatDuration(within)}`,
    {
      code: "DNS_SILENT",
      blame: "us",
      retry: "later",
      hint: "It is ended and started again after 30 s of silence; the log says what it did before.",
    },
  );
}
