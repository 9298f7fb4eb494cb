import { libc } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;

/**
 * Gives a socket more room for what has arrived.
 *
 * @param bytes as setsockopt takes them: the kernel doubles the number for its own needs. Without CAP_NET_ADMIN it is
 *   what net.core.rmem_max allows.
 */
export function enlargeReceiveBuffer(fd: number, bytes: number): void {
  const value = new Uint8Array(Int32Array.of(bytes).buffer);
  const forced = libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, value);
  if (forced.value < 0) libc().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value);
}
