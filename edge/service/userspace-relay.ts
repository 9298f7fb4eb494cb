import type { MonotonicTime, Timer } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Backend } from "./frontend.ts";
import type { UserspaceContext } from "./userspace-context.ts";
import type { OpenRelay } from "./userspace-open-relays.ts";

/** Two lost SYNs (retried after 1 s and 3 s) and an answer are still inside. */
const CONNECT_TIMEOUT = seconds(4);
/**
 * A caller or backend that vanished without a word is noticed by probes of ours, as its peer's never get past us. Rare
 * enough that a link may be down for minutes without ending idle connections.
 */
const KEEPALIVE_IDLE_MS = 15 * 60 * 1000;

/** One end of a relayed connection: what is read here is written to the other leg. */
export class Leg {
  isOpen = false;
  other: Leg | undefined;
  readonly #relay: Relay;
  #socket: Bun.Socket<Leg> | undefined;
  /** What the other leg read and this one's peer has no room for yet; the other leg is paused meanwhile. */
  #unsent: Uint8Array | undefined;
  #finished = false;

  constructor(relay: Relay) {
    this.#relay = relay;
  }

  attach(socket: Bun.Socket<Leg>): void {
    this.#socket = socket;
    this.isOpen = true;
    socket.setKeepAlive(true, KEEPALIVE_IDLE_MS);
  }

  /** The connection to the backend is there. */
  opened(socket: Bun.Socket<Leg>): void {
    this.attach(socket);
    if (!this.#relay.serverOpened(this)) this.abort();
  }

  received(data: Uint8Array): void {
    this.#relay.noteActivity();
    this.other?.send(data);
  }

  /** There is room again. */
  drained(): void {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    this.#unsent = undefined;
    this.send(unsent);
    if (this.#unsent !== undefined) return;
    if (this.#finished) this.#socket?.shutdown();
    else this.other?.resume();
  }

  /** The peer has nothing more to say, and may still listen. */
  ended(): void {
    this.other?.finish();
  }

  closed(error: Error | undefined): void {
    this.isOpen = false;
    // A reset is passed on as one: the other peer must not take a broken stream for a whole one.
    if (error === undefined && this.#unsent === undefined) this.other?.finish();
    else this.other?.abort();
    this.#relay.legClosed();
  }

  send(data: Uint8Array): void {
    // A read that was under way when the other leg was paused.
    if (this.#unsent !== undefined) {
      this.#unsent = Buffer.concat([this.#unsent, data]);
      return;
    }
    const written = this.#socket?.write(data) ?? -1;
    if (written === data.length) return;
    if (written < 0) {
      this.abort();
      this.other?.abort();
      return;
    }
    this.#unsent = data.subarray(written);
    this.other?.pause();
  }

  finish(): void {
    this.#finished = true;
    if (this.#unsent === undefined) this.#socket?.shutdown();
  }

  /** Ends it with a reset. */
  abort(): void {
    if (this.isOpen) this.#socket?.terminate();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }
}

/** Of both ends; a listener brings its own `open`, and sockets that have no leg as it refused their callers. */
export const LEG_HANDLERS = {
  open: (socket: Bun.Socket<Leg>) => socket.data.opened(socket),
  data: (socket: Bun.Socket<Leg>, data: Uint8Array) => socket.data.received(data),
  drain: (socket: Bun.Socket<Leg>) => socket.data.drained(),
  end: (socket: Bun.Socket<Leg>) => socket.data.ended(),
  close: (socket: Bun.Socket<Leg | undefined>, error?: Error) => socket.data?.closed(error),
} satisfies Bun.SocketHandler<Leg>;

/** One connection of a caller, with the one to the backend that it is carried to. */
export class Relay implements OpenRelay {
  activeAt: MonotonicTime;
  readonly #context: UserspaceContext;
  readonly #client: Leg;
  readonly #chosen: (backend: Backend) => void;
  #waiting: readonly Backend[];
  #backend: Backend | undefined;
  /** The attempt that is awaited, then the connection. */
  #server: Leg | undefined;
  #timer: Timer | undefined;
  #done = false;

  /**
   * @param socket of the caller, just accepted
   * @param backends in the order to try them
   * @param chosen told which of them took the connection
   */
  constructor(
    context: UserspaceContext,
    socket: Bun.Socket<Leg>,
    backends: readonly Backend[],
    chosen: (backend: Backend) => void,
  ) {
    this.#context = context;
    this.#chosen = chosen;
    this.#waiting = backends;
    this.#client = new Leg(this);
    socket.data = this.#client;
    this.#client.attach(socket);
    // Nothing is read before there is somewhere to put it.
    this.#client.pause();
    context.usage.connections += 1;
    this.activeAt = context.clock.now();
    context.relays.add(this);
    this.#tryNext();
  }

  /** @returns false when nobody waits for this attempt any more */
  serverOpened(leg: Leg): boolean {
    if (leg !== this.#server || this.#done) return false;
    this.#timer?.cancel();
    leg.other = this.#client;
    this.#client.other = leg;
    if (this.#backend !== undefined) this.#chosen(this.#backend);
    this.#client.resume();
    return true;
  }

  noteActivity(): void {
    this.activeAt = this.#context.clock.now();
  }

  close(): void {
    this.#client.abort();
    this.#server?.abort();
  }

  legClosed(): void {
    if (this.#done || this.#client.isOpen || this.#server?.isOpen === true) return;
    this.#done = true;
    this.#timer?.cancel();
    this.#context.usage.connections -= 1;
    this.#context.relays.delete(this);
  }

  #tryNext(): void {
    const [backend, ...rest] = this.#waiting;
    if (backend === undefined) {
      this.#client.abort();
      return;
    }
    this.#waiting = rest;
    this.#backend = backend;
    const leg = new Leg(this);
    this.#server = leg;
    this.#timer = this.#context.clock.after(CONNECT_TIMEOUT, () => this.#failed(leg));
    this.#connect(backend, leg).catch(() => this.#failed(leg));
  }

  async #connect(backend: Backend, data: Leg): Promise<void> {
    const { usage } = this.#context;
    const { address: hostname, port } = backend;
    usage.attempts += 1;
    try {
      await Bun.connect<Leg>({ hostname, port, allowHalfOpen: true, data, socket: LEG_HANDLERS });
    } finally {
      usage.attempts -= 1;
    }
  }

  #failed(leg: Leg): void {
    if (leg !== this.#server || leg.isOpen || this.#done) return;
    this.#timer?.cancel();
    this.#server = undefined;
    this.#context.usage.connectFailures += 1;
    this.#tryNext();
  }
}
