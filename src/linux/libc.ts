import { dlopen, type Pointer, read } from "bun:ffi";
import { SelvedgeError } from "../base/errors.ts";

/**
 * The calls of the C library that Bun has no equivalent for.
 *
 * `ssize_t` results are declared as `i32`: no transfer here reaches 2 GiB, and a 64-bit result would come back as a
 * bigint. Typed arrays are passed as they are, so they stay referenced for the length of the call, and no call here
 * lets the kernel keep an address for longer.
 */
const SYMBOLS = {
  __errno_location: { args: [], returns: "ptr" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
} as const;

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

  setsockopt(fd: number, level: number, option: number, value: Uint8Array): CallResult {
    return this.#result(this.#calls.setsockopt(fd, level, option, value, value.length));
  }

  sendto(fd: number, data: Uint8Array, flags: number, address: Uint8Array): CallResult {
    return this.#result(this.#calls.sendto(fd, data, data.length, flags, address, address.length));
  }

  recv(fd: number, buffer: Uint8Array, flags: number): CallResult {
    return this.#result(this.#calls.recv(fd, buffer, buffer.length, flags));
  }

  close(fd: number): CallResult {
    return this.#result(this.#calls.close(fd));
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
