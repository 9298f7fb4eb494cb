import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

export interface SocketAddress {
  readonly ip: string;
  readonly port: number;
}

const SYS_BPF = process.arch === "arm64" ? 280 : 321;

/** include/uapi/linux/bpf.h: enum bpf_cmd, bpf_prog_type, bpf_attach_type; union bpf_attr. */
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18;
const BPF_CGROUP_INET4_CONNECT = 10;
const ATTR_SIZE = 128;

/** In struct bpf_sock_addr; both hold the network's byte order. */
const USER_IP4 = 4;
const USER_PORT = 24;

/** As Documentation/bpf/standardization/instruction-set.rst composes them. */
const LOAD_WORD = 0x61;
const STORE_WORD = 0x63;
const MOVE_32 = 0xb4;
const JUMP_UNLESS_EQUAL_32 = 0x56;
const EXIT = 0x95;

interface Instruction {
  readonly opcode: number;
  readonly target?: number;
  readonly source?: number;
  readonly offset?: number;
  readonly immediate?: number;
}

const { symbols: libc } = dlopen("libc.so.6", {
  syscall: { args: [FFIType.i64, FFIType.i64, FFIType.ptr, FFIType.u64], returns: FFIType.i64 },
  __errno_location: { args: [], returns: FFIType.ptr },
});

/**
 * A service proxy in eBPF of the kind that Cilium and Calico have: whoever of its control group connects to a service is
 * connected to a pod instead, before there is a packet, so that netfilter never sees the service's address.
 */
export class SocketBalancer implements Disposable {
  readonly #group: string;

  static create(name: string, service: SocketAddress, pod: SocketAddress): SocketBalancer {
    const group = join(unifiedHierarchy(), `selvedge-${name}-${process.pid}`);
    mkdirSync(group);
    const [context, value] = [1, 2];
    const program = loadProgram([
      { opcode: LOAD_WORD, target: value, source: context, offset: USER_IP4 },
      { opcode: JUMP_UNLESS_EQUAL_32, target: value, offset: 6, immediate: addressWord(service.ip) },
      { opcode: LOAD_WORD, target: value, source: context, offset: USER_PORT },
      { opcode: JUMP_UNLESS_EQUAL_32, target: value, offset: 4, immediate: portWord(service.port) },
      { opcode: MOVE_32, target: value, immediate: addressWord(pod.ip) },
      { opcode: STORE_WORD, target: context, source: value, offset: USER_IP4 },
      { opcode: MOVE_32, target: value, immediate: portWord(pod.port) },
      { opcode: STORE_WORD, target: context, source: value, offset: USER_PORT },
      // It may connect.
      { opcode: MOVE_32, target: 0, immediate: 1 },
      { opcode: EXIT },
    ]);
    const directory = openSync(group, "r");
    const attr = new DataView(new ArrayBuffer(ATTR_SIZE));
    attr.setUint32(0, directory, true);
    attr.setUint32(4, program, true);
    attr.setUint32(8, BPF_CGROUP_INET4_CONNECT, true);
    bpf(BPF_PROG_ATTACH, attr);
    // From here on the group holds the program.
    closeSync(program);
    closeSync(directory);
    return new SocketBalancer(group);
  }

  private constructor(group: string) {
    this.#group = group;
  }

  /** The words before a command that put it into the group; hosts of a lab do not see the group, so these come first. */
  get enter(): readonly string[] {
    return ["sh", "-euc", `echo $$ >"$0"; exec "$@"`, join(this.#group, "cgroup.procs")];
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#group);
  }
}

/** Where control groups of version 2 are, with or without those of version 1 beside them. */
function unifiedHierarchy(): string {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/mounts", "utf8"))?.[1];
  if (mount === undefined) throw new Error("Cannot attach an eBPF program as no cgroup2 is mounted");
  return mount;
}

/** @returns its file descriptor */
function loadProgram(instructions: readonly Instruction[]): number {
  const code = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [index, { opcode, target = 0, source = 0, offset = 0, immediate = 0 }] of instructions.entries()) {
    code.setUint8(index * 8, opcode);
    code.setUint8(index * 8 + 1, (source << 4) | target);
    code.setInt16(index * 8 + 2, offset, true);
    code.setUint32(index * 8 + 4, immediate, true);
  }
  const license = Buffer.from("GPL\0");
  const log = Buffer.alloc(1 << 16);
  const attr = new DataView(new ArrayBuffer(ATTR_SIZE));
  attr.setUint32(0, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, true);
  attr.setUint32(4, instructions.length, true);
  attr.setBigUint64(8, BigInt(ptr(code)), true);
  attr.setBigUint64(16, BigInt(ptr(license)), true);
  attr.setUint32(24, 1, true);
  attr.setUint32(28, log.length, true);
  attr.setBigUint64(32, BigInt(ptr(log)), true);
  attr.setUint32(68, BPF_CGROUP_INET4_CONNECT, true);
  return bpf(BPF_PROG_LOAD, attr, log);
}

function bpf(command: number, attr: DataView<ArrayBuffer>, log?: Buffer): number {
  const result = Number(libc.syscall(SYS_BPF, command, ptr(attr), ATTR_SIZE));
  if (result >= 0) return result;
  const location = libc.__errno_location();
  const errno = location === null ? "unknown" : read.i32(location);
  throw new Error(
    `Cannot do bpf command ${command}: errno ${errno} ${log?.toString("latin1").replace(/\0.*$/s, "") ?? ""}`,
  );
}

/** As a load of four bytes in network order gives it here, on a little-endian machine. */
function addressWord(ip: string): number {
  return new DataView(Uint8Array.from(ip.split("."), Number).buffer).getUint32(0, true);
}

function portWord(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}
