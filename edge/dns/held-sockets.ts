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
    // A name has no colons.
    const place = `${Buffer.from(ipBytes(address)).toString("hex")}-${port}`;
    return {
      udp: new HeldUdpSocket(this.#descriptor(`dns-udp-${place}`, () => HeldUdpSocket.open(address, port).fd)),
      tcp: this.#descriptor(`dns-tcp-${place}`, () => openTcpListener(address, port)),
    };
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
