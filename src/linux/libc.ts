import { dlopen, type Pointer, ptr, read } from "bun:ffi";
import { SelvedgeError } from "../base/errors.ts";

/**
 * The calls of the C library that Bun has no equivalent for.
 *
 * `ssize_t` results are declared as `i32`: no transfer here reaches 2 GiB, and a 64-bit result would come back as a
 * bigint. Typed arrays are passed as they are, so they stay referenced for the length of the call, and no call here
 * lets the kernel keep an address for longer. Memory that headers point to is kept by who wrote them.
 */
const SYMBOLS = {
  __errno_location: { args: [], returns: "ptr" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  dup: { args: ["i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  recvfrom: { args: ["i32", "ptr", "u64", "i32", "ptr", "ptr"], returns: "i32" },
  sendmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
  recvmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr"], returns: "i32" },
  sendmmsg: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  madvise: { args: ["ptr", "u64", "i32"], returns: "i32" },
  setns: { args: ["i32", "i32"], returns: "i32" },
  flock: { args: ["i32", "i32"], returns: "i32" },
} as const;

/** sys/socket.h: struct cmsghdr is a u64 length, level and type; one descriptor follows, padded to eight bytes. */
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const CMSG_DATA = 16;
const CMSG_LEN = CMSG_DATA + 4;
const CMSG_SPACE = CMSG_DATA + 8;

/** glibc, and musl under the names that its packagers give it. */
const NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"];

/** A result, or -1 with the number of the error. */
export type CallResult = { readonly value: number; readonly errno: number };

let opened: Libc | undefined;

/** The C library of this thread, opened on first use. */
export function libc(): Libc {
  opened ??= new Libc();
  return opened;
}

class Libc {
  readonly #calls: ReturnType<typeof openLibrary>;
  readonly #errno: Pointer;

  constructor() {
    this.#calls = openLibrary();
    // A constant of the thread; reading the memory right after a call is what the `errno` macro does.
    this.#errno = this.#calls.__errno_location() as Pointer;
  }

  socket(domain: number, type: number, protocol: number): CallResult {
    return this.#result(this.#calls.socket(domain, type, protocol));
  }

  bind(fd: number, address: Uint8Array): CallResult {
    return this.#result(this.#calls.bind(fd, address, address.length));
  }

  listen(fd: number, backlog: number): CallResult {
    return this.#result(this.#calls.listen(fd, backlog));
  }

  /** @returns another number for the same thing */
  dup(fd: number): CallResult {
    return this.#result(this.#calls.dup(fd));
  }

  setsockopt(fd: number, level: number, option: number, value: Uint8Array): CallResult {
    return this.#result(this.#calls.setsockopt(fd, level, option, value, value.length));
  }

  /** @param value what the kernel reads from, and writes over as far as it is long */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): CallResult {
    return this.#result(this.#calls.getsockopt(fd, level, option, value, Uint32Array.of(value.length)));
  }

  sendto(fd: number, data: Uint8Array, flags: number, address: Uint8Array): CallResult {
    return this.#result(this.#calls.sendto(fd, data, data.length, flags, address, address.length));
  }

  recv(fd: number, buffer: Uint8Array, flags: number): CallResult {
    return this.#result(this.#calls.recv(fd, buffer, buffer.length, flags));
  }

  /** @param from where the sender's address is written to; it says how much room there is, and how much was taken */
  recvfrom(
    fd: number,
    buffer: Uint8Array,
    flags: number,
    from: Uint8Array,
  ): CallResult & { readonly fromBytes: number } {
    const length = Uint32Array.of(from.length);
    const result = this.#result(this.#calls.recvfrom(fd, buffer, buffer.length, flags, from, length));
    return { ...result, fromBytes: length[0] ?? 0 };
  }

  /** With a descriptor, which the receiver gets a number of its own for (SCM_RIGHTS, unix(7)). */
  sendDescriptor(fd: number, data: Uint8Array, flags: number, address: Uint8Array, descriptor: number): CallResult {
    const vector = BigUint64Array.of(addressOf(data), BigInt(data.length));
    const control = new Uint8Array(CMSG_SPACE);
    const fields = new DataView(control.buffer);
    fields.setBigUint64(0, BigInt(CMSG_LEN), true);
    fields.setInt32(8, SOL_SOCKET, true);
    fields.setInt32(12, SCM_RIGHTS, true);
    fields.setInt32(CMSG_DATA, descriptor, true);
    // struct msghdr: name and its length, the vector and its length, the control data and its length, flags.
    const header = BigUint64Array.of(
      ...[addressOf(address), BigInt(address.length), addressOf(vector), 1n],
      ...[addressOf(control), BigInt(control.length), 0n],
    );
    return this.#result(this.#calls.sendmsg(fd, header, flags));
  }

  /** @param headers `count` of struct mmsghdr, whose pointers lead to memory that the caller keeps */
  recvmmsg(fd: number, headers: Uint8Array, count: number, flags: number): CallResult {
    return this.#result(this.#calls.recvmmsg(fd, headers, count, flags, null));
  }

  /** @param headers as for `recvmmsg` */
  sendmmsg(fd: number, headers: Uint8Array, count: number, flags: number): CallResult {
    return this.#result(this.#calls.sendmmsg(fd, headers, count, flags));
  }

  close(fd: number): CallResult {
    return this.#result(this.#calls.close(fd));
  }

  madvise(address: number, length: number, advice: number): CallResult {
    return this.#result(this.#calls.madvise(address as Pointer, length, advice));
  }

  /** Moves this thread, and no other, into a namespace. */
  setns(fd: number, type: number): CallResult {
    return this.#result(this.#calls.setns(fd, type));
  }

  flock(fd: number, operation: number): CallResult {
    return this.#result(this.#calls.flock(fd, operation));
  }

  #result(value: number): CallResult {
    return value < 0 ? { value, errno: read.i32(this.#errno) } : { value, errno: 0 };
  }
}

function openLibrary() {
  const failures: string[] = [];
  for (const name of NAMES) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new SelvedgeError(`Cannot open the C library as none of ${NAMES.join(", ")} loads: ${failures.join("; ")}`, {
    code: "LIBC_MISSING",
    blame: "host",
    retry: "never",
    hint: "Use the build for this machine's C library: -musl on Alpine and OpenWrt, the other one elsewhere.",
  });
}

function addressOf(memory: NodeJS.TypedArray): bigint {
  return BigInt(ptr(memory));
}
