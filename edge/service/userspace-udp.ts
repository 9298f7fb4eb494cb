import { ipFamily } from "../../src/base/ip.ts";
import type { Backend, Frontend } from "./frontend.ts";
import { backendId, chooseBackends } from "./userspace-choice.ts";
import { callerOf, type UserspaceContext } from "./userspace-context.ts";
import type { ListenerSpec } from "./userspace-plan.ts";
import type { Expiring, SessionTable } from "./userspace-sessions.ts";

/** What waits while a session's socket is made, which takes one turn of the event loop. */
const WAITING_LIMIT = 64;
/** LIBUS_SOCKET_IPV6_ONLY of Bun's sockets, which its types leave out: "::" shall not take the IPv4 callers too. */
const IPV6_ONLY = 8;

type Listener = Bun.udp.Socket<"buffer">;

/** One UDP frontend. Each caller (address and port) has a session: a socket of its own to one backend. */
export class UdpListener {
  readonly #context: UserspaceContext;
  readonly #sessions: SessionTable<UdpSession>;
  readonly #key: string;
  #frontend: Frontend;
  #socket: Listener | undefined;

  private constructor(spec: ListenerSpec, context: UserspaceContext, sessions: SessionTable<UdpSession>) {
    this.#key = spec.key;
    this.#frontend = spec.frontend;
    this.#context = context;
    this.#sessions = sessions;
  }

  /** @throws the error of the socket: EADDRINUSE, EADDRNOTAVAIL, EACCES */
  static async open(
    spec: ListenerSpec,
    context: UserspaceContext,
    sessions: SessionTable<UdpSession>,
  ): Promise<UdpListener> {
    const listener = new UdpListener(spec, context, sessions);
    const options = {
      hostname: spec.hostname,
      port: spec.port,
      flags: spec.frontend.family === 6 ? IPV6_ONLY : 0,
      socket: {
        data: (socket: Listener, data: Buffer, port: number, address: string) =>
          listener.#received(socket, data, port, address),
        // ICMP's word that a caller is gone, and not which one. Without this Bun throws it where nobody catches.
        error: () => {},
      },
    };
    listener.#socket = await Bun.udpSocket(options);
    return listener;
  }

  /** Callers whose backend is gone get another one with their next datagram. */
  update(frontend: Frontend): void {
    this.#frontend = frontend;
    const { backends, externalBackends = [], serving } = frontend;
    const present = new Set([...backends, ...externalBackends, ...serving].map(backendId));
    this.#sessions.dropWhere((session) => session.listener === this && !present.has(session.backend));
  }

  /** From now on the kernel answers callers that the port is unreachable. */
  close(): void {
    this.#sessions.dropWhere((session) => session.listener === this);
    this.#socket?.close();
  }

  #received(socket: Listener, data: Buffer, port: number, address: string): void {
    const context = this.#context;
    const key = `${this.#key} ${address} ${port}`;
    const now = context.clock.now();
    const session = this.#sessions.use(key, now) ?? this.#begin(socket, key, port, address);
    session?.send(data);
  }

  #begin(socket: Listener, key: string, port: number, address: string): UdpSession | undefined {
    const context = this.#context;
    const frontend = this.#frontend;
    const caller = callerOf(context, address);
    if (caller === undefined) return undefined;
    const memory = context.affinity.of(frontend);
    const [backend] = chooseBackends(frontend, caller, memory, context.random, 1);
    if (backend === undefined) return undefined;
    if (frontend.affinitySeconds !== undefined) memory.remember(caller, backend);
    const session = new UdpSession(this, backend, {
      answer: (data) => {
        this.#sessions.use(key, context.clock.now());
        sendOrLose(() => socket.send(data, port, address));
      },
      failed: () => {
        context.usage.connectFailures += 1;
        this.#sessions.drop(key);
      },
    });
    if (this.#sessions.add(key, session, caller.now)) context.usage.refusedByLimit += 1;
    return session;
  }
}

interface SessionEvents {
  readonly answer: (data: Buffer) => void;
  /** The backend does not listen, or cannot be reached: the caller's next datagram shall find another. */
  readonly failed: () => void;
}

export class UdpSession implements Expiring {
  readonly listener: UdpListener;
  /** Its id. */
  readonly backend: string;
  #socket: Bun.udp.ConnectedSocket<"buffer"> | undefined;
  #waiting: Buffer[] = [];
  #closed = false;

  constructor(listener: UdpListener, backend: Backend, events: SessionEvents) {
    this.listener = listener;
    this.backend = backendId(backend);
    this.#connect(backend, events).catch(events.failed);
  }

  send(data: Buffer): void {
    const socket = this.#socket;
    if (socket !== undefined) sendOrLose(() => socket.send(data));
    else if (this.#waiting.length < WAITING_LIMIT) this.#waiting.push(data);
  }

  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#socket?.close();
  }

  async #connect(backend: Backend, events: SessionEvents): Promise<void> {
    const socket = await Bun.udpSocket({
      // Bun takes an IPv4 socket unless it is told otherwise.
      hostname: ipFamily(backend.address) === 4 ? "0.0.0.0" : "::",
      connect: { hostname: backend.address, port: backend.port },
      socket: { data: (_, data) => events.answer(data), error: events.failed },
    });
    if (this.#closed) {
      socket.close();
      return;
    }
    this.#socket = socket;
    for (const data of this.#waiting) sendOrLose(() => socket.send(data));
    this.#waiting = [];
  }
}

/** As everywhere in UDP, a datagram is lost that finds no room, no route or a firewall, which Bun throws as errors. */
function sendOrLose(send: () => boolean): void {
  try {
    send();
  } catch {
    // Who waits for an answer asks again.
  }
}
