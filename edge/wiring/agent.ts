import { type Duration, minutes, seconds } from "../../src/base/duration.ts";
import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import { type Condition, Health } from "../../src/base/health.ts";
import { Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Scope } from "../../src/base/scope.ts";
import { VERSION } from "../../src/base/version.ts";
import { EXIT, type ExitCode } from "../../src/cli/exit-code.ts";
import { plain } from "../../src/cli/table.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { openSource } from "../../src/kube/source.ts";
import { DescriptorStore, parseListenDescriptors } from "../../src/linux/descriptor-store.ts";
import { SdNotify } from "../../src/linux/sd-notify.ts";
import type { ComponentState, Resolution, StatusReport } from "../../src/network/agent-report.ts";
import type { FabricIdentity } from "../../src/network/fabric-identity.ts";
import { clusterOfEndpoint } from "../../src/network/global-service.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import { ServiceIndex } from "../../src/network/service-index.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import { parseRecordType } from "../../src/wire/dns.ts";
import { Cache } from "../cache/cache.ts";
import { CacheStore } from "../cache/store.ts";
import { formatStatus } from "../cli/render.ts";
import { cloudSettingsPlace } from "../config/cloud-settings-place.ts";
import type { Config } from "../config/options.ts";
import type { LoadedConfig } from "../config.ts";
import type { DnsStatus } from "../dns/dns.ts";
import type { NodeIdentity } from "../identity/node-identity.ts";
import type { PodNetwork } from "../pod/pod-network.ts";
import { hasRuleset } from "../service/open-nftables.ts";
import type { ServiceProxy } from "../service/service-proxy.ts";
import type { ControlHandlers } from "../status/control.ts";
import { ControlServer } from "../status/control-server.ts";
import { keepHeapSmall } from "../status/heap-keeper.ts";
import { openLogSink } from "../status/log-sink.ts";
import type { StatusParts } from "../status/status.ts";
import { registerStatusMetrics } from "../status/status-metrics.ts";
import type { TunnelView } from "../status/tunnel-view.ts";
import { logStall, Watchdog } from "../status/watchdog.ts";
import type { Tunnels } from "../tunnel/tunnels.ts";
import { dnsSettings, type Foundation, makeDns, makeServiceProxy } from "./capabilities.ts";
import { CloudSettings } from "./cloud-settings.ts";
import { CloudSettingsFile } from "./cloud-settings-file.ts";
import type { DnsClient } from "./dns-client.ts";
import { makeIdentity, ownDocuments } from "./identity.ts";
import { NodeNetwork } from "./node-network.ts";
import { makePodNetwork } from "./pods.ts";
import { reportServices, reportStatus } from "./report.ts";
import { sourceConfig } from "./source.ts";
import type { System } from "./system.ts";
import { addressesOf, makeTunnels, makeTunnelView } from "./tunnels.ts";

/** Why the agent stops, besides signals. */
const RENEWAL = "new settings";

/** Runs until the process is asked to end. The kernel keeps what it has: traffic goes on. @returns the exit status */
export async function runAgent(loaded: LoadedConfig, system: System): Promise<number> {
  const agent = new Agent(loaded, system, new Scope());
  return Promise.race([agent.run(loaded.warnings), agent.failed()]);
}

/** The parts of the agent, in the order cache → kernel → network. */
class Agent {
  readonly #config: Config;
  readonly #system: System;
  readonly #scope: Scope;
  readonly #log: Log;
  readonly #health: Health;
  readonly #metrics = new Metrics("selvedge");
  readonly #systemd: SdNotify;
  readonly #watchdog: Watchdog;
  readonly #network: NodeNetwork;
  readonly #cache: Cache;
  readonly #identity: NodeIdentity;
  readonly #cloudSettings: CloudSettings | undefined;
  readonly #pods: PodNetwork;
  readonly #tunnels: Tunnels;
  readonly #tunnelView: TunnelView;
  readonly #index = new ServiceIndex();
  readonly #service: ServiceProxy | undefined;
  readonly #dns: DnsClient | undefined;
  readonly #started: number;
  #running = false;
  /** The cache was lost and the kernel has services: they stay until the cloud has spoken. */
  #keepsServices = false;

  constructor(loaded: LoadedConfig, system: System, scope: Scope) {
    const { config } = loaded;
    const { clock, environment, random } = system;
    this.#config = config;
    this.#system = system;
    this.#scope = scope;
    this.#started = clock.wall();
    const sink = openLogSink(config.logFormat, environment["JOURNAL_STREAM"], system.stderrIsTerminal, clock);
    this.#log = new Log(sink, config.logLevel);
    this.#health = new Health(
      () => clock.wall(),
      (condition, raised) => this.#tell(condition, raised),
    );
    this.#systemd = new SdNotify(environment["NOTIFY_SOCKET"], (error) =>
      this.#log.warn("systemd.notify", "systemd does not hear how the agent is.", { err: errorText(error) }),
    );
    this.#watchdog = new Watchdog(clock, (lag) => this.#beat(lag), scope);
    keepHeapSmall(clock, system.heap, scope);
    const inside = [...config.proxyClusterCidr, ...config.dnsAllowCidr];
    const linkName = config.dummyInterfaceName;
    const foundation = { config, system, logSink: sink, log: this.#log, health: this.#health, metrics: this.#metrics };
    this.#network = new NodeNetwork({ ...foundation, linkName, inside, clock }, scope);
    const store = new CacheStore(config.stateDir);
    this.#cache = new Cache({ ...foundation, store, clock, random, documents: ownDocuments(config) });
    this.#identity = makeIdentity(config, this.#health, clock);
    const place = cloudSettingsPlace(config);
    if (place !== undefined) {
      const supervised = Boolean(environment["NOTIFY_SOCKET"]);
      const rest = { loaded, place, store: new CloudSettingsFile(place.file), supervised, clock };
      this.#cloudSettings = new CloudSettings({ ...foundation, ...rest }, scope);
    }
    const whole: Foundation = { ...foundation, network: this.#network };
    this.#pods = makePodNetwork(whole, scope);
    this.#tunnels = makeTunnels(whole, this.#index, scope);
    this.#tunnelView = makeTunnelView(whole, this.#tunnels, this.#identity, scope);
    this.#service = config.enableProxy ? makeServiceProxy(whole, scope) : undefined;
    this.#dns = config.enableDns ? makeDns(whole) : undefined;
    registerStatusMetrics(this.#metrics, {
      version: VERSION,
      components: () => this.#components(),
      conditions: () => this.#health.list(),
      takeWorstLags: () => ({
        main: this.#watchdog.takeWorstLag(),
        ...(this.#dns === undefined ? {} : { dns: this.#dns.takeWorstLag() }),
      }),
    });
  }

  async run(warnings: readonly string[]): Promise<number> {
    // From the beginning on: whoever is told that the agent is ready may ask it to end in the same moment.
    const stopped = this.#stopped();
    try {
      await Promise.race([this.#start(warnings), stopped]);
      const { code } = await stopped;
      return code;
    } finally {
      await this.#scope.close();
    }
  }

  /** Nothing is closed then: the kernel and the file have what they need, and a closer may wait for ever. */
  async failed(): Promise<number> {
    const error = await this.#system.failure();
    const err = error instanceof Error ? (error.stack ?? errorText(error)) : errorText(error);
    this.#log.error("agent.failed", "The agent ends as an error was handled nowhere; please report it.", { err });
    return EXIT.failed.code;
  }

  async #start(warnings: readonly string[]): Promise<void> {
    const { clock, random } = this.#system;
    this.#log.info("agent.start", "The agent starts.", { version: VERSION, name: this.#config.nodeName });
    for (const warning of warnings) this.#log.warn("config.warning", warning);
    const { runDir, httpBind } = this.#config;
    const handlers = this.#handlers();
    await ControlServer.start({ runDir, httpBind, handlers, health: this.#health, clock, random }, this.#scope);

    const known = this.#cache.load();
    this.#index.preferEndpoints(this.#cache.slicesWithheld);
    this.#take(known);
    this.#identity.start((identity) => this.#setIdentity(identity), this.#scope);
    this.#tellLocality();
    // Without DNS the link is there all the same, for the routes to services; its addresses are another program's then.
    this.#network.hold("dns", new Set(this.#config.enableDns ? this.#config.dnsBindIp : []));
    if (!this.#config.enableDns) this.#dropHeldSockets();
    this.#keepsServices = this.#service !== undefined && this.#knowsNothing() && hasRuleset();
    if (this.#keepsServices) this.#tellServicesKept();
    await Promise.all([
      this.#updateServices(new Set()),
      this.#dns?.start(dnsSettings(this.#config), this.#network.inside()),
    ]);
    if (this.#dns !== undefined) this.#scope.onClose("dns", this.#dns.stop.bind(this.#dns));
    await this.#network.watch(() => this.#networkChanged(), this.#scope);
    this.#running = true;
    this.#systemd.ready();
    this.#tellSystemd();
    this.#log.info("agent.ready", "Services and names are up.", { duration_ms: clock.wall() - this.#started });

    void this.#followSource();
  }

  /** A run with DNS left them with systemd: queries would wait in them for nobody, and no other program get the port. */
  #dropHeldSockets(): void {
    const { environment, pid } = this.#system;
    new DescriptorStore(this.#systemd, parseListenDescriptors(environment, pid)).dropRest();
  }

  async #stopped(): Promise<ExitCode> {
    const signal = this.#system.stopRequested();
    const renewal = this.#cloudSettings?.renewal.then(() => RENEWAL);
    const reason = await (renewal === undefined ? signal : Promise.race([signal, renewal]));
    this.#log.info("agent.stop", "The agent stops; what it put into the kernel stays.", { reason });
    this.#systemd.stopping();
    // A status of failure is what systemd starts an agent again for.
    return reason === RENEWAL ? EXIT.again : EXIT.ok;
  }

  /** A source that cannot be opened yet, for want of a file, is tried again; the cache serves meanwhile. */
  #followSource(): Promise<void> {
    const { clock, random, environment, readText, fetch } = this.#system;
    let following = false;
    const loop = new Reconciler(
      {
        run: async () => {
          if (following) return;
          const endpoint = await openSource(sourceConfig(this.#config), environment, readText);
          const client = new KubeClient(endpoint, `selvedge/${VERSION}`, fetch, clock);
          const { source: kind, nodeName } = this.#config;
          const handlers = {
            changes: (changes: readonly ObjectChange[]) => this.#take(changes),
            trusted: () => this.#letServicesGo(),
            slicesWithheld: (withheld: boolean) => this.#viewsChanged(this.#index.preferEndpoints(withheld)),
          };
          this.#cache.start({ kind, client, nodeName }, handlers, this.#scope);
          following = true;
        },
        onFailure: (error) =>
          this.#health.raise({
            code: "SOURCE_CONFIG",
            component: "source",
            severity: "degraded",
            message: errorText(error),
            hint: (error instanceof SelvedgeError ? error.hint : undefined) ?? "Correct the settings of the source.",
          }),
        onSuccess: () => this.#health.clear("source", "SOURCE_CONFIG"),
        every: minutes(60),
        backoff: { initial: seconds(1), factor: 2, limit: minutes(1) },
      },
      clock,
      random,
      this.#scope,
    );
    return loop.trigger();
  }

  #take(changes: readonly ObjectChange[]): void {
    const changed = this.#index.apply(changes);
    this.#identity.take(changes);
    this.#cloudSettings?.take(changes);
    for (const change of changes) {
      if (change.kind !== "Node" || change.key !== this.#config.nodeName) continue;
      this.#network.setPodCidrs(change.value?.podCidrs ?? []);
      const { zone, addresses = [] } = change.value ?? {};
      void this.#service?.setNode({ name: this.#config.nodeName, zone, addresses });
    }
    this.#viewsChanged(changed);
    this.#dns?.updateGlobals(changes);
    if (this.#service !== undefined) this.#tunnels.addServiceAddresses(addressesOf(this.#index, changed));
  }

  /** What is behind tunnels does not leave in clear from here on: then pods may come, and then tunnels, which need the bridge. */
  #setIdentity(identity: FabricIdentity): void {
    void this.#tunnels.setIdentity(identity);
    void this.#pods.set({ subnets: identity.config.endpoint.subnets });
    this.#tellLocality();
  }

  /** Before names are up for the first time, so that none is answered from afar. */
  #tellLocality(): void {
    const { zone, region, nodeName } = this.#config;
    const endpoint = this.#identity.current?.config.endpoint.name;
    const cluster = endpoint === undefined ? undefined : clusterOfEndpoint(endpoint, nodeName);
    this.#dns?.setLocality({ cluster, zone, region });
  }

  #viewsChanged(changed: ReadonlySet<ObjectKey>): void {
    // The kernel first: who is told a name is to reach its address, and the names' thread is told by a copy, which takes long.
    if (this.#running && changed.size > 0) void this.#updateServices(changed);
    this.#dns?.update(this.#index, changed);
  }

  #knowsNothing(): boolean {
    return this.#index.views().next().done === true;
  }

  async #updateServices(changed: ReadonlySet<ObjectKey>): Promise<void> {
    if (!this.#keepsServices) await this.#service?.update(this.#index, changed);
  }

  #tellServicesKept(): void {
    this.#health.raise({
      code: "SERVICES_KEPT",
      component: "service",
      severity: "info",
      message: "Cannot tell which services are still wanted as the cache knows none: those in the kernel are kept",
      hint: "They go on as an earlier run left them until the source has told everything once.",
    });
  }

  #letServicesGo(): void {
    if (!this.#keepsServices) return;
    this.#keepsServices = false;
    this.#health.clear("service", "SERVICES_KEPT");
    void this.#updateServices(new Set());
  }

  #networkChanged(): void {
    void this.#pods.repair();
    void this.#tunnels.resync();
    this.#dns?.setInside(this.#network.inside());
    void this.#service?.resync();
  }

  #tell(condition: Condition, raised: boolean): void {
    const { code, component: name, severity, message, hint } = condition;
    if (!raised) this.#log.info("health.cleared", `No longer: ${message}`, { code, name });
    else if (severity === "info") this.#log.info("health.raised", message, { code, name, hint });
    else this.#log.warn("health.raised", message, { code, name, hint });
    if (this.#running) this.#tellSystemd();
  }

  /** The line of `systemctl status`: the worst that there is to say. */
  #tellSystemd(): void {
    const [worst] = this.#health.list();
    this.#systemd.status(worst === undefined ? "Services and names are up." : `${worst.code}: ${worst.message}`);
  }

  #beat(lag: Duration): void {
    logStall(this.#log, "main", lag);
    if (this.#dnsAlive()) this.#systemd.alive();
  }

  #dnsAlive(): boolean {
    return this.#dns?.alive() ?? true;
  }

  /** Undefined also where its thread is silent: the rest of the status is told all the same. */
  async #dnsStatus(): Promise<DnsStatus | undefined> {
    try {
      return await this.#dns?.status();
    } catch {
      return undefined;
    }
  }

  async #renderMetrics(): Promise<string> {
    const own = this.#metrics.render();
    try {
      return own + ((await this.#dns?.metrics()) ?? "");
    } catch {
      return own;
    }
  }

  #components(): readonly ComponentState[] {
    const state = this.#running ? ("running" as const) : ("starting" as const);
    return [
      { name: "cache", state },
      { name: "service", state: this.#service === undefined ? "disabled" : state },
      { name: "dns", state: this.#dns === undefined ? "disabled" : state },
    ];
  }

  #handlers(): ControlHandlers {
    return {
      status: () => this.#status(),
      statusText: async () => formatStatus(await this.#status(), plain),
      services: (filter) => reportServices(this.#index, this.#service?.services() ?? new Map(), filter),
      tunnels: () => this.#tunnelView.freshTunnels(),
      resolve: (name, type) => this.#resolve(name, type),
      components: () => this.#components(),
      conditions: () => this.#health.list(),
      alive: () => this.#watchdog.alive() && this.#dnsAlive(),
      metrics: () => this.#renderMetrics(),
      version: () => VERSION,
    };
  }

  async #status(): Promise<StatusReport> {
    const config = this.#config;
    const dns = await this.#dnsStatus();
    return reportStatus({
      config,
      version: VERSION,
      pid: this.#system.pid,
      started: this.#started,
      now: this.#system.clock.wall(),
      sourceUrl: this.#cache.status().source?.url ?? config.sourceUrl ?? config.kubeconfig ?? "",
      components: this.#components(),
      conditions: this.#health.list(),
      cache: this.#cache.status(),
      cacheSizeBytes: this.#system.folderSize(config.stateDir),
      service: this.#service?.status(),
      dns,
      fabric: this.#fabricStatus(),
    });
  }

  #fabricStatus(): StatusParts["fabric"] {
    const config = this.#identity.current?.config;
    const { phase, version } = this.#tunnelView.charon;
    return {
      name: config?.endpoint.name ?? null,
      peers: config?.peers.length ?? 0,
      tunnelsUp: this.#tunnelView.tunnels().filter(({ state }) => state === "up").length,
      certificateEnds: this.#identity.certificate?.notAfter,
      charon: { state: phase, version: version ?? null },
    };
  }

  async #resolve(name: string, type: string): Promise<Resolution> {
    if (this.#dns === undefined) {
      throw new SelvedgeError("Cannot resolve names as DNS is switched off: current value is --enable-dns=false", {
        code: "DNS_DISABLED",
        blame: "user",
        retry: "never",
        hint: "Start the agent with --enable-dns.",
      });
    }
    const number = parseRecordType(type);
    if (number === undefined) {
      throw new SelvedgeError(`Cannot resolve as the record type is none: current value is "${type}"`, {
        code: "DNS_TYPE_INVALID",
        blame: "user",
        retry: "never",
        hint: "A type is a name such as A, AAAA, SRV, PTR or TXT, or TYPE with a number.",
      });
    }
    const { clock } = this.#system;
    const asked = clock.now();
    const { rcode, source, answers } = await this.#dns.resolve(name, number);
    return {
      name,
      type: type.toUpperCase(),
      rcode,
      answers,
      from: source === "error" ? "none" : source,
      durationSeconds: (clock.now() - asked) / 1000,
    };
  }
}
