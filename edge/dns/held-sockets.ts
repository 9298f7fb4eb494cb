import { type Ip, ipBytes } from "../../src/base/ip.ts";
import type { DescriptorStore } from "../../src/linux/descriptor-store.ts";
import { HeldUdpSocket, openTcpListener } from "../../src/linux/held-socket.ts";

/** The sockets of one address that are kept beyond this run. */
export interface HeldSockets {
  readonly udp: HeldUdpSocket;
  /** The descriptor of a listening socket. */
  readonly tcp: number;
}

/** Keeps the server's sockets from one run to the next, so that no query meets a closed port between them. */
export class SocketKeeper {
  readonly #store: DescriptorStore;
  readonly #descriptors = new Map<string, number>();

  constructor(store: DescriptorStore) {
    this.#store = store;
  }

  /** The same sockets each time. @throws SelvedgeError with the system's name of the error, such as EADDRINUSE */
  hold(address: Ip, port: number): HeldSockets {
    return {
      udp: new HeldUdpSocket(
        this.#descriptor(nameOf("udp", address, port), () => HeldUdpSocket.open(address, port).fd),
      ),
      tcp: this.#descriptor(nameOf("tcp", address, port), () => openTcpListener(address, port)),
    };
  }

  /**
   * From now on what is asked over UDP waits for the next run. The TCP socket is the server's own: there it waits too.
   *
   * @returns the socket in which this run's queries waited: to be closed when all of them are answered through it
   */
  async handOver(address: Ip, port: number): Promise<HeldUdpSocket | undefined> {
    const name = nameOf("udp", address, port);
    const fd = this.#descriptors.get(name);
    if (fd === undefined) return undefined;
    const held = new HeldUdpSocket(fd);
    const younger = await held.renew(address, port);
    this.#store.replace(name, younger.fd);
    this.#descriptors.set(name, younger.fd);
    return held;
  }

  /** Closes what an earlier run kept and this one has no use for. */
  dropRest(): void {
    this.#store.dropRest();
  }

  #descriptor(name: string, open: () => number): number {
    const known = this.#descriptors.get(name) ?? this.#store.takeOrKeep(name, open);
    this.#descriptors.set(name, known);
    return known;
  }
}

/** A name has no colons. */
function nameOf(protocol: "udp" | "tcp", address: Ip, port: number): string {
  return `dns-${protocol}-${Buffer.from(ipBytes(address)).toString("hex")}-${port}`;
}
