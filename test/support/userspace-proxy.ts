import { afterEach, beforeEach } from "bun:test";
import type { Backend, Frontend } from "../../edge/service/frontend.ts";
import { UserspaceApplier } from "../../edge/service/userspace-applier.ts";
import type { Clock } from "../../src/base/clock.ts";
import { Health } from "../../src/base/health.ts";
import { ipFamily } from "../../src/base/ip.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../src/linux/netlink-socket.ts";
import { ServiceLink } from "../../src/linux/service-link.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import { ip } from "./network-objects.ts";

/** The service address of the frontends that `frontend` makes. */
export const SERVICE = "10.96.0.1";

export function backend(port: number, address = "127.0.0.1"): Backend {
  return { address: ip(address), port, local: true };
}

export function frontend(backends: readonly Backend[], more: Partial<Frontend> = {}): Frontend {
  const address = ip(SERVICE);
  const identity = { service: "default/web", portName: "", kind: "cluster-ip", protocol: "TCP", port: 80 } as const;
  const rest = { externalBackends: undefined, serving: [], affinitySeconds: undefined, sourceRanges: [] };
  return { ...identity, family: ipFamily(more.address ?? address), address, backends, ...rest, ...more };
}

/** A user-space proxy on a real service link for each test, made before it and closed after it. */
export class UserspaceProxy {
  applier: UserspaceApplier;
  readonly link: ServiceLink;
  readonly health = new Health(Date.now, () => {});
  /** What callers count as. */
  internal = true;
  readonly #route = new NetlinkSocket(NETLINK_ROUTE);
  readonly #closers: (() => void)[] = [];

  constructor() {
    this.link = new ServiceLink(this.#route, "svc0");
    this.applier = this.#start(new SystemClock());
  }

  /** Starts again, with a clock that the test moves. */
  async restart(clock: Clock): Promise<void> {
    await this.applier.close();
    this.applier = this.#start(clock);
  }

  onClose(close: () => void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    await this.applier.close();
    for (const close of this.#closers) close();
    this.link.remove(false);
    this.#route.close();
  }

  /** Gives the one service these frontends. */
  apply(...frontends: Frontend[]): Promise<void> {
    return this.applier.apply(new Map([["default/web", frontends]]));
  }

  codes(): readonly string[] {
    return this.health.list().map((condition) => condition.code);
  }

  /** An HTTP backend that answers with its name. */
  web(name: string, hostname = "127.0.0.1"): Backend {
    const server = Bun.serve({ hostname, port: 0, fetch: () => new Response(name) });
    this.onClose(() => void server.stop(true));
    return backend(server.port ?? 0, hostname);
  }

  #start(clock: Clock): UserspaceApplier {
    return new UserspaceApplier({
      clock,
      random: Math.random,
      isInternal: () => this.internal,
      holdAddresses: (addresses) => void this.link.apply("service", addresses),
      health: this.health,
      descriptors: 65_536,
    });
  }
}

/** @returns the proxy of the test that runs */
export function proxyForEachTest(): () => UserspaceProxy {
  let proxy: UserspaceProxy | undefined;
  beforeEach(() => {
    proxy = new UserspaceProxy();
  });
  afterEach(() => proxy?.close());
  return () => {
    if (proxy === undefined) throw new Error("no test runs");
    return proxy;
  };
}

export interface CurlResult {
  readonly exit: number;
  readonly body: string;
  readonly ms: number;
}

export async function curl(url: string, ...more: string[]): Promise<CurlResult> {
  const start = performance.now();
  const child = Bun.spawn(["curl", "-sS", "-m", "10", ...more, url], { stdout: "pipe", stderr: "ignore" });
  const body = await child.stdout.text();
  return { exit: await child.exited, body, ms: performance.now() - start };
}

/** curl's exit codes: no connection; and a reset, which curl may see while it still connects. */
export const REFUSED = 7;
export const RESET = [7, 56];
