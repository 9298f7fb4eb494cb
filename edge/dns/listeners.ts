import { Backoff, type BackoffPolicy, type Random } from "../../src/base/backoff.ts";
import type { Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import { errorCode } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { Ip } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import { DescriptorReserve } from "../../src/linux/descriptor-reserve.ts";
import { duplicate, type HeldUdpSocket } from "../../src/linux/held-socket.ts";
import { observePortHolders } from "../../src/linux/port-holders.ts";
import type { SocketKeeper } from "./held-sockets.ts";
import { TcpServer } from "./tcp-server.ts";
import { type ServerDeps, UdpServer } from "./udp-server.ts";

/** An address that is about to appear, as on our own dummy link, does so within moments; others are worth a look. */
const BIND_BACKOFF: BackoffPolicy = { initial: seconds(0.1), factor: 2, limit: seconds(5) };
/** Of the end of a run: forwarded questions are mostly answered in a tenth of it. */
const DRAIN_WITHIN = seconds(1);
/** How often an open socket is looked at: the runtime may close it on an error that it finds fatal. */
const CHECK_EVERY = seconds(5);
/** How long the runtime may be awake for callers that it has no descriptor for. */
const DESCRIPTORS_EVERY = seconds(1);

export interface ListenerStatus {
  readonly address: Ip;
  readonly port: number;
  readonly bound: boolean;
  /** Of TCP, open now. */
  readonly connections: number;
  /** The system's name of the last error; undefined when bound. */
  readonly code: string | undefined;
}

export interface ListenersDeps extends ServerDeps {
  readonly random: Random;
  readonly log: Log;
  readonly health: Health;
  /** Undefined where nobody keeps sockets for us: they are closed with the program. */
  readonly keeper?: SocketKeeper | undefined;
}

interface Listener {
  readonly address: Ip;
  readonly backoff: Backoff;
  udp: UdpServer | undefined;
  tcp: TcpServer | undefined;
  code: string | undefined;
  timer: Timer | undefined;
}

/**
 * UDP and TCP on each address, for as long as the scope lives. An address that is not there yet, or a port that is
 * taken, is a health condition and tried again. Once bound, a socket outlives its address: the kernel keeps it.
 */
export class Listeners {
  readonly #port: number;
  readonly #deps: ListenersDeps;
  readonly #signal: AbortSignal;
  readonly #listeners: readonly Listener[];
  readonly #descriptors = new DescriptorReserve();
  #descriptorsTimer: Timer;

  constructor(addresses: readonly Ip[], port: number, deps: ListenersDeps, scope: Scope) {
    this.#port = port;
    this.#deps = deps;
    this.#signal = scope.signal;
    this.#listeners = [...new Set(addresses)].map((address) => ({
      address,
      backoff: new Backoff(BIND_BACKOFF, deps.random),
      udp: undefined,
      tcp: undefined,
      code: undefined,
      timer: undefined,
    }));
    this.#descriptorsTimer = this.#lookAtDescriptorsLater();
    scope.onClose("dns listeners", () => {
      this.#descriptorsTimer.cancel();
      this.#descriptors.close();
      for (const listener of this.#listeners) closeListener(listener);
      deps.health.clear("dns", "DNS_BIND_FAILED");
    });
  }

  /** Tries each address once; what fails is tried again in the background. */
  async start(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => this.#open(listener)));
    this.#deps.keeper?.dropRest();
  }

  /**
   * Resolves once all that was asked is answered, or has been waited for long enough; what is asked from now on waits for
   * the next run. Without it, what arrives between the last look at a socket and its end would be lost.
   */
  async handOver(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => this.#handOver(listener)));
  }

  status(): readonly ListenerStatus[] {
    return this.#listeners.map(({ address, udp, tcp, code }) => ({
      address,
      port: udp?.port ?? this.#port,
      bound: udp !== undefined,
      connections: tcp?.connectionCount ?? 0,
      code,
    }));
  }

  async #open(listener: Listener): Promise<void> {
    const deps = { ...this.#deps, descriptors: this.#descriptors };
    const { clock, log } = deps;
    const { address } = listener;
    try {
      const held = this.#deps.keeper?.hold(address, this.#port);
      const udp = await UdpServer.open(address, this.#port, this.#deps, held?.udp);
      listener.udp = udp;
      // The same port, also where it is left to the system.
      listener.tcp = TcpServer.open(address, udp.port, deps, held && duplicate(held.tcp));
      if (this.#signal.aborted) {
        closeListener(listener);
        return;
      }
      listener.code = undefined;
      listener.backoff.reset();
      listener.timer = clock.after(CHECK_EVERY, () => void this.#check(listener));
      log.info("dns.listening", "DNS server listens", { addr: address, port: udp.port });
    } catch (error) {
      closeListener(listener);
      if (this.#signal.aborted) return;
      const changed = listener.code !== errorCode(error);
      listener.code = errorCode(error);
      const delay = listener.backoff.next();
      listener.timer = clock.after(delay, () => void this.#open(listener));
      if (changed) {
        const fields = { addr: address, port: this.#port, code: listener.code, delay_ms: delay };
        log.warn("dns.bind_failed", "Cannot listen for DNS queries; trying again", fields);
      }
    }
    this.#report();
  }

  #lookAtDescriptorsLater(): Timer {
    return this.#deps.clock.after(DESCRIPTORS_EVERY, () => {
      this.#descriptors.look();
      this.#descriptorsTimer = this.#lookAtDescriptorsLater();
    });
  }

  async #check(listener: Listener): Promise<void> {
    if (listener.udp?.closed === true) {
      closeListener(listener);
      await this.#open(listener);
    } else {
      listener.timer = this.#deps.clock.after(CHECK_EVERY, () => void this.#check(listener));
    }
  }

  async #handOver({ address, udp, tcp }: Listener): Promise<void> {
    const { keeper, log, clock } = this.#deps;
    if (keeper === undefined || udp === undefined) return;
    let older: HeldUdpSocket | undefined;
    try {
      older = await keeper.handOver(address, this.#port);
    } catch (error) {
      log.warn("dns.hand_over", "Cannot leave queries to the next run", { addr: address, code: errorCode(error) });
    }
    const late = Promise.withResolvers<void>();
    const timer = clock.after(DRAIN_WITHIN, late.resolve);
    // Not before: its number could be another socket's by the time of a late answer.
    const drained = udp.drain().then(() => older?.close());
    await Promise.race([Promise.all([drained, tcp?.drain()]), late.promise]);
    timer.cancel();
  }

  #report(): void {
    const { health } = this.#deps;
    const failed = this.#listeners.filter((listener) => listener.code !== undefined);
    if (failed.length === 0) {
      health.clear("dns", "DNS_BIND_FAILED");
      return;
    }
    const current = failed.map(({ address, code }) => `${address} (${code})`).join(", ");
    health.raise({
      component: "dns",
      code: "DNS_BIND_FAILED",
      severity: failed.length === this.#listeners.length ? "failed" : "degraded",
      message: `Cannot listen on port ${this.#port} as binding failed: current value is ${current}`,
      hint: this.#hint(failed[0]?.code ?? ""),
    });
  }

  #hint(code: string): string {
    switch (code) {
      case "EADDRINUSE": {
        const programs = observePortHolders(this.#port).flatMap(({ program }) => program ?? []);
        const holders = [...new Set(programs)].sort().join(", ");
        const who = holders === "" ? "Another program holds the port" : `The port is held by ${holders}`;
        return `${who}: stop it, or set another address with --dns-bind-ip.`;
      }
      case "EADDRNOTAVAIL":
        return "The address is not on this node: set --dns-bind-ip to one that is, or let the agent make its dummy link.";
      case "EACCES":
        return "Ports below 1024 need root or CAP_NET_BIND_SERVICE.";
      default:
        return "The address is tried again every few seconds.";
    }
  }
}

function closeListener(listener: Listener): void {
  listener.timer?.cancel();
  listener.udp?.close();
  listener.tcp?.close();
  listener.udp = undefined;
  listener.tcp = undefined;
}
