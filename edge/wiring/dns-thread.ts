import type { Duration } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { Health } from "../../src/base/health.ts";
import { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { DescriptorStore, parseListenDescriptors } from "../../src/linux/descriptor-store.ts";
import { SdNotify } from "../../src/linux/sd-notify.ts";
import type { GlobalService, Locality } from "../../src/network/global-service.ts";
import { type Inside, isInside } from "../../src/network/inside.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import { Dns } from "../dns/dns.ts";
import { SocketKeeper } from "../dns/held-sockets.ts";
import { keepHeapSmall } from "../status/heap-keeper.ts";
import { logStall, Watchdog } from "../status/watchdog.ts";
import type {
  DnsAnswer,
  DnsQuestion,
  DnsSettings,
  Failure,
  FromDns,
  GlobalServiceChanges,
  Port,
  ServiceChanges,
  ToDns,
} from "./dns-messages.ts";
import type { System } from "./system.ts";

type ThreadSystem = Pick<System, "clock" | "random" | "randomWord" | "environment" | "pid" | "heap">;

/**
 * The names capability in a thread of its own: what keeps the agent's loop busy (10,000 services at once, a card that
 * takes a second to write) delays no answer, and a flood of questions delays nothing else.
 */
export function serveDns(port: Port<ToDns, FromDns>, system: ThreadSystem): Scope {
  const scope = new Scope();
  const thread = new DnsThread(port, system, scope);
  port.receive((message) => thread.take(message));
  return scope;
}

class DnsThread {
  readonly #port: Port<ToDns, FromDns>;
  readonly #system: ThreadSystem;
  readonly #scope: Scope;
  readonly #services = new Map<ObjectKey, ServiceView>();
  /** Those that were told before there is anybody to take them. */
  readonly #globals = new Map<ObjectKey, GlobalService | undefined>();
  #locality: Locality | undefined;
  readonly #metrics = new Metrics("selvedge");
  #inside: Inside = { addresses: [], networks: [] };
  #log: Log | undefined;
  #dns: Dns | undefined;

  constructor(port: Port<ToDns, FromDns>, system: ThreadSystem, scope: Scope) {
    this.#port = port;
    this.#system = system;
    this.#scope = scope;
    // Nothing but a beat looks at the lag here, so that of a beat is the worst since the last one.
    new Watchdog(system.clock, (lag) => this.#beat(lag), scope);
    keepHeapSmall(system.clock, system.heap, scope);
  }

  take(message: ToDns): void {
    switch (message.kind) {
      case "services":
        this.#change(JSON.parse(message.json));
        break;
      case "globals":
        this.#changeGlobals(JSON.parse(message.json));
        break;
      case "locality":
        this.#locality = message.locality;
        this.#dns?.setLocality(message.locality);
        break;
      case "inside":
        this.#inside = message.inside;
        this.#dns?.allowedChanged();
        break;
      case "question":
        void this.#reply(message.id, message.question);
        break;
    }
  }

  #beat(lag: Duration): void {
    this.#port.send({ kind: "beat", lagMs: lag });
    if (this.#log !== undefined) logStall(this.#log, "dns", lag);
  }

  #change(changes: ServiceChanges): void {
    for (const [key, view] of changes) {
      if (view === null) this.#services.delete(key);
      else this.#services.set(key, view);
    }
    this.#dns?.update(this.#services, new Set(changes.map(([key]) => key)));
  }

  /** Unlike services, which the names are read from here, they are kept by the names themselves. */
  #changeGlobals(changes: GlobalServiceChanges): void {
    const known = changes.map(([key, service]) => [key, service ?? undefined] as const);
    if (this.#dns === undefined) for (const [key, service] of known) this.#globals.set(key, service);
    else this.#dns.updateGlobals(known);
  }

  async #reply(id: number, question: DnsQuestion): Promise<void> {
    try {
      this.#port.send({ kind: "answer", id, value: await this.#answer(question) });
    } catch (error) {
      this.#port.send({ kind: "failure", id, failure: describe(error) });
    }
  }

  async #answer(question: DnsQuestion): Promise<DnsAnswer> {
    switch (question.about) {
      case "start":
        this.#inside = question.inside;
        return this.#start(question.settings);
      case "stop":
        await this.#dns?.handOver();
        return undefined;
      case "status":
        return this.#dns?.status();
      case "metrics":
        return this.#metrics.render();
      case "name":
        return this.#dns?.resolve(question.name, question.type);
    }
  }

  async #start({ logLevel, ...settings }: DnsSettings): Promise<undefined> {
    const { clock } = this.#system;
    const log = new Log((record) => this.#port.send({ kind: "log", record }), logLevel);
    this.#log = log;
    const health = new Health(
      () => clock.wall(),
      (condition, raised) => this.#port.send({ kind: "condition", condition, raised }),
    );
    const options = {
      ...settings,
      allowed: (client: Parameters<typeof isInside>[1]) => isInside(this.#inside, client),
    };
    const keeper = this.#socketKeeper(log);
    this.#dns = new Dns(options, { ...this.#system, log, health, metrics: this.#metrics, keeper }, this.#scope);
    this.#dns.update(this.#services, new Set(this.#services.keys()));
    this.#dns.updateGlobals(this.#globals);
    this.#globals.clear();
    if (this.#locality !== undefined) this.#dns.setLocality(this.#locality);
    await this.#dns.start();
  }

  /** systemd keeps sockets, where it has started us. */
  #socketKeeper(log: Log): SocketKeeper | undefined {
    const { environment, pid } = this.#system;
    const notify = new SdNotify(environment["NOTIFY_SOCKET"], (error) =>
      log.warn("systemd.notify", "systemd does not keep the sockets of names.", { err: errorText(error) }),
    );
    if (!notify.connected) return undefined;
    return new SocketKeeper(new DescriptorStore(notify, parseListenDescriptors(environment, pid)));
  }
}

function describe(error: unknown): Failure {
  if (!(error instanceof SelvedgeError)) {
    return { message: errorText(error), code: errorCode(error), blame: "us", retry: "later" };
  }
  const { message, code, blame, retry, hint } = error;
  return { message, code, blame, retry, ...(hint === undefined ? {} : { hint }) };
}
