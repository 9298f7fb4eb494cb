import { dlopen, ptr } from "bun:ffi";

// A program, named by the first argument, on a kernel that was started with ipv6.disable=1: socket(AF_INET6) fails with
// EAFNOSUPPORT for this thread, by a filter of system calls (linux/seccomp.h, linux/filter.h), on x86-64.

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const [LOAD, JUMP_IF_EQUAL, RETURN] = [0x20, 0x15, 0x06];
const [ALLOW, ERRNO] = [0x7fff0000, 0x00050000];
/** struct seccomp_data: the call's number, and the lower half of its first argument. */
const [NUMBER, FIRST_ARGUMENT] = [0, 16];
const [SOCKET, AF_INET6, EAFNOSUPPORT] = [41, 10, 97];

/** struct sock_filter: code, where to go if it holds and if not, k. */
const program: readonly (readonly [code: number, yes: number, no: number, k: number])[] = [
  [LOAD, 0, 0, NUMBER],
  [JUMP_IF_EQUAL, 0, 3, SOCKET],
  [LOAD, 0, 0, FIRST_ARGUMENT],
  [JUMP_IF_EQUAL, 0, 1, AF_INET6],
  [RETURN, 0, 0, ERRNO | EAFNOSUPPORT],
  [RETURN, 0, 0, ALLOW],
];
const filter = new DataView(new ArrayBuffer(8 * program.length));
for (const [i, [code, yes, no, k]] of program.entries()) {
  filter.setUint16(8 * i, code, true);
  filter.setUint8(8 * i + 2, yes);
  filter.setUint8(8 * i + 3, no);
  filter.setUint32(8 * i + 4, k, true);
}
/** struct sock_fprog: how many, and where. */
const fprog = new DataView(new ArrayBuffer(16));
fprog.setUint16(0, program.length, true);
fprog.setBigUint64(8, BigInt(ptr(filter)), true);

const { prctl } = dlopen("libc.so.6", {
  prctl: { args: ["int", "u64", "u64", "u64", "u64"], returns: "int" },
}).symbols;
for (const [option, a, b] of [
  [PR_SET_NO_NEW_PRIVS, 1, 0],
  [PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ptr(fprog)],
] as const) {
  if (prctl(option, a, b, 0, 0) !== 0) throw new Error(`Cannot filter system calls: prctl(${option}) failed`);
}

const [main = ""] = process.argv.splice(2, 1);
await import(main);
