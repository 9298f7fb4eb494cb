import { readFileSync } from "node:fs";
import type { Family } from "../base/ip.ts";
import { libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const NF_INET_FORWARD = 2;
const TABLE = "filter";

/** linux/netfilter_ipv4/ip_tables.h and linux/netfilter_ipv6/ip6_tables.h: the numbers are the same in both. */
const IPT_SO_GET_INFO = 64;
const IPT_SO_GET_ENTRIES = 65;
/** struct ipt_getinfo: char name[32]; u32 valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
const INFO_LENGTH = 84;
const UNDERFLOW_AT = 56;
const SIZE_AT = 80;
/** struct ipt_get_entries: char name[32]; u32 size; the entries, aligned to eight bytes. */
const ENTRIES_AT = 40;
/** struct xt_standard_target: struct xt_entry_target of 32 bytes; i32 verdict, NF_DROP being -NF_DROP - 1. */
const VERDICT_AT = 32;
const DROP = -1;

interface Program {
  readonly name: string;
  readonly domain: number;
  /** Of its socket options. */
  readonly level: number;
  /** The tables that there are; asking for one that is not makes it. */
  readonly tables: string;
  /** Of u16 target_offset in struct ipt_entry and struct ip6t_entry. */
  readonly targetOffsetAt: number;
}

const PROGRAMS: Readonly<Record<Family, Program>> = {
  4: { name: "iptables-legacy", domain: AF_INET, level: 0, tables: "/proc/net/ip_tables_names", targetOffsetAt: 88 },
  6: {
    name: "ip6tables-legacy",
    domain: AF_INET6,
    level: 41,
    tables: "/proc/net/ip6_tables_names",
    targetOffsetAt: 140,
  },
};

/** Some five thousand rules, which is a few milliseconds to copy; of larger tables nothing is said. */
export const LEGACY_TABLE_BYTES_MAX = 1024 * 1024;

/**
 * Chains of the kernel's older firewall that drop what is forwarded unless a rule says otherwise. nftables does not show
 * them, and no table of it can overrule them.
 *
 * @returns such as "iptables-legacy filter FORWARD"; none where the kernel does not tell, or not this program
 */
export function findLegacyDroppingForwards(): readonly string[] {
  return Object.values(PROGRAMS).flatMap((program) =>
    dropsForwards(program) ? [`${program.name} ${TABLE} FORWARD`] : [],
  );
}

function dropsForwards({ domain, level, tables, targetOffsetAt }: Program): boolean {
  if (!hasTable(tables)) return false;
  const opened = libc().socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (opened.value < 0) return false;
  try {
    const info = named(INFO_LENGTH);
    if (libc().getsockopt(opened.value, level, IPT_SO_GET_INFO, info.bytes).value < 0) return false;
    const size = info.view.getUint32(SIZE_AT, true);
    if (size > LEGACY_TABLE_BYTES_MAX) return false;
    const entries = named(ENTRIES_AT + size);
    entries.view.setUint32(32, size, true);
    // EAGAIN: it has changed in between, and the next look sees it.
    if (libc().getsockopt(opened.value, level, IPT_SO_GET_ENTRIES, entries.bytes).value < 0) return false;
    // A chain's policy is its last entry.
    const policy = ENTRIES_AT + info.view.getUint32(UNDERFLOW_AT + 4 * NF_INET_FORWARD, true);
    if (policy + targetOffsetAt + 2 > entries.bytes.length) return false;
    const verdict = policy + entries.view.getUint16(policy + targetOffsetAt, true) + VERDICT_AT;
    return verdict + 4 <= entries.bytes.length && entries.view.getInt32(verdict, true) === DROP;
  } finally {
    libc().close(opened.value);
  }
}

function hasTable(path: string): boolean {
  try {
    return readFileSync(path, "utf8").split("\n").includes(TABLE);
  } catch {
    return false;
  }
}

function named(length: number): { readonly bytes: Uint8Array; readonly view: DataView } {
  const bytes = new Uint8Array(length);
  bytes.set(new TextEncoder().encode(TABLE));
  return { bytes, view: new DataView(bytes.buffer) };
}
