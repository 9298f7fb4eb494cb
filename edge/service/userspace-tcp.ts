import type { Frontend } from "./frontend.ts";
import { chooseBackends } from "./userspace-choice.ts";
import { callerOf, type UserspaceContext } from "./userspace-context.ts";
import type { ListenerSpec } from "./userspace-plan.ts";
import { LEG_HANDLERS, type Leg, Relay } from "./userspace-relay.ts";

/** After so many dead backends the caller has given up. */
const CONNECT_ATTEMPTS = 5;

/** One TCP frontend: accepts, and carries each connection to a backend. */
export class TcpListener {
  readonly #context: UserspaceContext;
  readonly #listener: Bun.TCPSocketListener<Leg>;
  #frontend: Frontend;

  /** @throws the error of the listening socket: EADDRINUSE, EADDRNOTAVAIL, EACCES */
  constructor(spec: ListenerSpec, context: UserspaceContext) {
    this.#frontend = spec.frontend;
    this.#context = context;
    const options = {
      hostname: spec.hostname,
      port: spec.port,
      // Otherwise "::" would take the IPv4 callers too. Bun's types know this for connecting only.
      ipv6Only: true,
      exclusive: true,
      allowHalfOpen: true,
      socket: { ...LEG_HANDLERS, open: (socket: Bun.Socket<Leg>) => this.#accept(socket) },
    };
    this.#listener = Bun.listen<Leg>(options);
  }

  /** Open connections stay where they are. */
  update(frontend: Frontend): void {
    this.#frontend = frontend;
  }

  /** From now on the kernel refuses callers at once; open connections stay. */
  close(): void {
    this.#listener.stop(false);
  }

  #accept(socket: Bun.Socket<Leg>): void {
    const context = this.#context;
    const frontend = this.#frontend;
    if (!hasRoom(context)) {
      context.usage.refusedByLimit += 1;
      socket.terminate();
      return;
    }
    const caller = callerOf(context, socket.remoteAddress);
    if (caller === undefined) {
      socket.terminate();
      return;
    }
    const memory = context.affinity.of(frontend);
    const backends = chooseBackends(frontend, caller, memory, context.random, CONNECT_ATTEMPTS);
    new Relay(context, socket, backends, (backend) => {
      if (frontend.affinitySeconds !== undefined) memory.remember(caller, backend);
    });
  }
}

/** Closes idle connections where that makes room for one more. */
function hasRoom({ usage, limits, relays, clock }: UserspaceContext): boolean {
  const full = () => usage.connections + usage.attempts >= limits.connections;
  if (full()) usage.closedIdle += relays.closeIdle(clock.now());
  return !full();
}
