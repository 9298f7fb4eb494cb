import { type Ip, ipFromBytes } from "../base/ip.ts";

/** A socket that waits for callers. */
export interface ListeningSocket {
  readonly protocol: "UDP" | "TCP";
  readonly address: Ip;
  readonly port: number;
  /** What /proc/PID/fd names: "socket:[INODE]". */
  readonly inode: string;
}

/** TCP_LISTEN and, for unconnected UDP, TCP_CLOSE of net/tcp_states.h. */
const WAITING: Readonly<Record<ListeningSocket["protocol"], string>> = { TCP: "0A", UDP: "07" };

/** An address of IPv4 or IPv6, and a port, as the kernel prints them: %08X and %04X. */
const ADDRESS = /^(?:[0-9A-F]{8}|[0-9A-F]{32})$/;
const PORT = /^[0-9A-F]{4}$/;

/** Reads /proc/net/{tcp,tcp6,udp,udp6}: see Documentation/networking/proc_net_tcp.rst. */
export function parseSocketTable(text: string, protocol: ListeningSocket["protocol"]): readonly ListeningSocket[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      const [hex = "", port = ""] = local.split(":");
      if (state !== WAITING[protocol] || !ADDRESS.test(hex) || !PORT.test(port)) return [];
      return [{ protocol, address: hexAddress(hex), port: Number.parseInt(port, 16), inode }];
    });
}

/** Each 32-bit word is printed as a number of the host's byte order, which is little-endian wherever we run. */
function hexAddress(hex: string): Ip {
  const bytes = Uint8Array.fromHex(hex);
  for (let word = 0; word < bytes.length; word += 4) bytes.subarray(word, word + 4).reverse();
  return ipFromBytes(bytes);
}

/** Whether a socket keeps another from the same port of an address: it has that address, or all of them. */
export function isInTheWay(socket: ListeningSocket, address: Ip, port: number): boolean {
  if (socket.port !== port) return false;
  if (socket.address === address || socket.address === "::") return true;
  return socket.address === "0.0.0.0" && !address.includes(":");
}
