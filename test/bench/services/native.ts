import { dlopen } from "bun:ffi";

/**
 * Calls of the C library that block, for programs that do nothing else meanwhile: what they time has no event loop in
 * it. glibc only, as is the rest of the benchmarks' programs.
 */
const { symbols } = dlopen("libc.so.6", {
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
});
export const { accept4, bind, close, connect, listen, poll, recv, send, setsockopt, socket } = symbols;

export const AF_INET = 2;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_LINGER = 13;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const POLLIN = 1;
const CLOCK_MONOTONIC = 1;

const time = new BigInt64Array(2);

/** The same in every process of the machine: what one station saw can be compared with what another did. */
export function monotonicSeconds(): number {
  clock(CLOCK_MONOTONIC);
  return Number(time[0]) + Number(time[1]) / 1e9;
}

function clock(id: number): void {
  symbols.clock_gettime(id, time);
}

/** struct sockaddr_in */
export function inetAddress(address: string, port: number): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return Uint8Array.of(AF_INET, 0, port >> 8, port & 255, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** @throws where a call gave -1 */
export function must(result: number, what: string): number {
  if (result < 0) throw new Error(`Cannot ${what}: the system call failed`);
  return result;
}

/** Whether one of the descriptors has something to read. @param timeoutMilliseconds 0 does not wait */
export function readable(descriptors: readonly number[], timeoutMilliseconds: number): boolean {
  const list = new DataView(new ArrayBuffer(8 * descriptors.length));
  descriptors.forEach((fd, i) => {
    list.setInt32(8 * i, fd, true);
    list.setInt16(8 * i + 4, POLLIN, true);
  });
  return poll(new Uint8Array(list.buffer), descriptors.length, timeoutMilliseconds) > 0;
}
