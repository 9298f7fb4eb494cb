import { errnoName, systemError } from "./errno.ts";
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

/** Tables 220 and 221, the rules that lead there and the table of nftables: of connector, node-agent and agent one. */
const FABRIC = "selvedge-fabric";

/** @returns what gives the fabric of this network namespace back; undefined while another program has it */
export function claimFabric(): Disposable | undefined {
  return claimNetwork(FABRIC);
}

/**
 * What one program at a time may have in a network namespace: an abstract name of AF_UNIX (unix(7)), which belongs to
 * the network and not to any file system, so that containers on the node's network share it. The kernel gives it back
 * when its holder ends, however that happens.
 *
 * @returns what gives it back; undefined while another program has it
 */
export function claimNetwork(name: string): Disposable | undefined {
  const opened = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (opened.value < 0) throw systemError(`open a socket to claim ${name}`, opened.errno);
  const release = () => {
    libc().close(opened.value);
  };
  // struct sockaddr_un: the family, and a name that begins with NUL and ends with the structure.
  const { errno } = libc().bind(opened.value, Uint8Array.of(AF_UNIX, 0, 0, ...new TextEncoder().encode(name)));
  if (errno === 0) return { [Symbol.dispose]: release };
  release();
  if (errnoName(errno) === "EADDRINUSE") return undefined;
  throw systemError(`claim ${name}`, errno);
}
