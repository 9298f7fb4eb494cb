import type { Clock } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import { formatPrefix, ipFamily, type Prefix } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Counter, Metrics } from "../../src/base/metrics.ts";
import type { Scope } from "../../src/base/scope.ts";
import { listLinks } from "../../src/linux/links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { Reconciler } from "../../src/reconcile/reconciler.ts";
import type { PodLink } from "../../src/wire/rtnetlink-pod-link.ts";
import { wholeRange } from "./address-plan.ts";
import { AddressStore } from "./address-store.ts";
import { ensureBridge } from "./bridge.ts";
import { ConfFolder } from "./conf-folder.ts";
import { conflistName } from "./conf-folder-plan.ts";
import { type ConflistSettings, formatConflist } from "./conflist.ts";
import { enableForwarding } from "./forwarding.ts";
import { HostPorts } from "./host-ports.ts";
import { DATA_DIR } from "./network-config.ts";
import { PluginFolder } from "./plugin-folder.ts";

export interface PodNetworkSettings extends ConflistSettings {
  /** Where container runtimes read network configurations. */
  readonly confPath: string;
  /** Where they look for plugins. */
  readonly binPath: string;
}

export interface PodNetworkOptions {
  readonly settings: PodNetworkSettings;
  /** The path of this program. */
  readonly executable: string;
  /** Where the plugin keeps addresses and host ports. Default: where host-local does. */
  readonly dataDir?: string;
  /** In a pod, the node does not see this program's file. */
  readonly inPod: boolean;
  readonly health: Health;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface PodNetworkState {
  /** Undefined until somebody has said which they are. */
  readonly subnets: readonly Prefix[] | undefined;
  readonly bridge: string;
  readonly conflist: string;
}

/** Component of the conditions. */
const COMPONENT = "pods";

/**
 * The network of this node's pods, as far as it is there without a pod: the bridge with the gateways' addresses, the
 * plugin's file, and the configuration that leads container runtimes to it. Pods themselves are the plugin's, which
 * needs no agent.
 */
export class PodNetwork {
  readonly #options: PodNetworkOptions;
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #conf: ConfFolder;
  readonly #plugins: PluginFolder;
  readonly #loop: Reconciler;
  readonly #writes: Counter;
  #subnets: readonly Prefix[] | undefined;

  constructor(options: PodNetworkOptions, scope: Scope) {
    const { settings, clock, random, metrics } = options;
    this.#options = options;
    this.#conf = new ConfFolder(settings.confPath, conflistName(settings.networkName));
    this.#plugins = new PluginFolder(settings.binPath);
    this.#writes = metrics.counter(
      "pod_network_changes_total",
      "Changes that were made to the pods' bridge, configuration, plugin and host ports.",
    );
    scope.onClose("pod network", () => this.#route.close());
    this.#loop = new Reconciler(
      {
        run: () => this.#apply(),
        onFailure: (error) => this.#raise({ code: "POD_NETWORK_FAILED", error }),
        onSuccess: () => this.#clear("POD_NETWORK_FAILED"),
        every: minutes(1),
        backoff: { initial: seconds(1), factor: 2, limit: minutes(1) },
      },
      clock,
      random,
      scope,
    );
  }

  /**
   * @param wanted the pods' subnets; none takes nothing away: what pods have goes on
   * @returns when it is so, or has failed and waits for its next attempt
   */
  set(wanted: { readonly subnets: readonly Prefix[] }): Promise<void> {
    this.#subnets = wanted.subnets;
    return this.#loop.trigger();
  }

  /** A link has changed: looks whether the bridge is still as it should be. */
  repair(): Promise<void> {
    return this.#loop.trigger(true);
  }

  state(): PodNetworkState {
    return { subnets: this.#subnets, bridge: this.#options.settings.bridgeName, conflist: this.#conf.file };
  }

  /** The bridge first and the configuration last: with that one, runtimes start pods. */
  async #apply(): Promise<void> {
    const subnets = this.#subnets ?? [];
    if (subnets.length === 0) return;
    const { settings, executable, inPod } = this.#options;
    const { bridge, writes } = this.#ensureBridge(subnets);
    this.#count("bridge", writes);
    this.#forward(subnets, bridge);
    if (settings.plugins === "builtin") {
      this.#count("plugin", Number(this.#plugins.install(executable, inPod ? "copy" : "link")));
    }
    this.#judgeStockPlugins();
    const written = this.#conf.write(formatConflist(settings, subnets));
    this.#count("conflist", Number(written));
    if (written) this.#tellWritten(subnets);
    this.#judgeShadow();
    this.#count("host-ports", await this.#repairHostPorts(subnets));
  }

  /** nftables.service flushes every table when it starts. In a pod the agent does not see the book. */
  async #repairHostPorts(subnets: readonly Prefix[]): Promise<number> {
    const { networkName: name, bridgeName: bridge } = this.#options.settings;
    const store = new AddressStore(this.#options.dataDir ?? DATA_DIR, name);
    const hostPorts = new HostPorts(store, { name, bridge, subnets });
    if (hostPorts.book().length === 0) return 0;
    return Number(await store.locked(this.#options.clock, () => hostPorts.repair()));
  }

  #ensureBridge(subnets: readonly Prefix[]): ReturnType<typeof ensureBridge> {
    const { bridgeName: name, mtu } = this.#options.settings;
    const gateways = subnets.map((subnet) => ({ address: wholeRange(subnet).gateway, prefixLength: subnet.length }));
    return ensureBridge(this.#route, { name, mtu, gateways, force: true });
  }

  /**
   * The plugin does it with each pod; here it is for who turned it off since. Its unit does not let the agent: without a
   * pod that is nobody's loss.
   */
  #forward(subnets: readonly Prefix[], bridge: PodLink): void {
    try {
      enableForwarding(new Set(subnets.map((subnet) => ipFamily(subnet.address))));
      this.#clear("POD_FORWARDING_OFF");
    } catch (error) {
      const hasPods = listLinks(this.#route).some((link) => link.master === bridge.index);
      if (hasPods) this.#raise({ code: "POD_FORWARDING_OFF", error });
      else this.#clear("POD_FORWARDING_OFF");
    }
  }

  #judgeStockPlugins(): void {
    const { plugins, binPath } = this.#options.settings;
    const missing = plugins === "stock" ? this.#plugins.missingStockPlugins() : [];
    if (missing.length === 0) {
      this.#clear("POD_PLUGINS_MISSING");
      return;
    }
    const error = new SelvedgeError(`Cannot connect pods as plugins are missing in ${binPath}: ${missing.join(", ")}`, {
      code: "POD_PLUGINS_MISSING",
      blame: "host",
      retry: "later",
      hint: "Install the containernetworking plugins there, or set --cni-plugins=builtin.",
    });
    this.#raise({ code: "POD_PLUGINS_MISSING", error });
  }

  #judgeShadow(): void {
    const shadow = this.#conf.shadow();
    if (shadow === undefined) {
      this.#clear("POD_CONFLIST_SHADOWED");
      return;
    }
    const error = new SelvedgeError(`Cannot connect pods as another network comes first: current value is ${shadow}`, {
      code: "POD_CONFLIST_SHADOWED",
      blame: "user",
      retry: "later",
      hint: "Move that file away if its network is not wanted here; the agent leaves other programs' files alone.",
    });
    this.#raise({ code: "POD_CONFLIST_SHADOWED", error });
  }

  #tellWritten(subnets: readonly Prefix[]): void {
    this.#options.log.info("pods.network", "Pods get their addresses from these subnets.", {
      addr: subnets.map(formatPrefix).join(","),
      file: this.#conf.file,
    });
  }

  #count(what: "bridge" | "plugin" | "conflist" | "host-ports", writes: number): void {
    if (writes > 0) this.#writes.add(writes, { what });
  }

  #raise({ code, error }: { readonly code: string; readonly error: unknown }): void {
    this.#options.health.raise({
      code,
      component: COMPONENT,
      severity: "degraded",
      message: errorText(error),
      hint: (error instanceof SelvedgeError ? error.hint : undefined) ?? `See errno(3) for ${errorCode(error)}.`,
    });
  }

  #clear(code: string): void {
    this.#options.health.clear(COMPONENT, code);
  }
}
