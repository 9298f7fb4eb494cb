import { readFileSync } from "node:fs";
import type { Family } from "../base/ip.ts";
import { decodeLegacyRules } from "../wire/legacy-filter-rule.ts";
import type { ForwardFlow } from "./forward-flow.ts";
import { passesForward } from "./forward-passage.ts";
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
const HOOK_ENTRY_AT = 36;
const UNDERFLOW_AT = 56;
const SIZE_AT = 80;
/** struct ipt_get_entries: char name[32]; u32 size; the entries, aligned to eight bytes. */
const ENTRIES_AT = 40;

interface Program {
  readonly name: string;
  readonly family: Family;
  readonly domain: number;
  /** Of its socket options. */
  readonly level: number;
  /** The tables that there are; asking for one that is not makes it. */
  readonly tables: string;
}

const PROGRAMS: readonly Program[] = [
  { name: "iptables-legacy", family: 4, domain: AF_INET, level: 0, tables: "/proc/net/ip_tables_names" },
  { name: "ip6tables-legacy", family: 6, domain: AF_INET6, level: 41, tables: "/proc/net/ip6_tables_names" },
];

/** Some five thousand rules, which is a few milliseconds to copy; of larger tables nothing is said. */
export const LEGACY_TABLE_BYTES_MAX = 1024 * 1024;

/**
 * Chains of the kernel's older firewall that drop what is forwarded, and have no rule that surely lets the flows pass.
 * nftables does not show them, and no table of it can overrule them.
 *
 * @returns such as "iptables-legacy filter FORWARD"; none where the kernel does not tell, or not this program
 */
export function findLegacyDroppingForwards(flowsOf: (family: Family) => readonly ForwardFlow[]): readonly string[] {
  return PROGRAMS.flatMap((program) => (drops(program, flowsOf) ? [`${program.name} ${TABLE} FORWARD`] : []));
}

function drops(program: Program, flowsOf: (family: Family) => readonly ForwardFlow[]): boolean {
  const table = readTable(program);
  if (table === undefined) return false;
  const rulesOf = (chain: string) => decodeLegacyRules(table.entries, Number(chain), program.family);
  // A chain's policy is its last entry.
  const [policy] = rulesOf(String(table.policy));
  if (policy?.verdict?.kind !== "drop") return false;
  return !flowsOf(program.family).every((flow) => passesForward(flow, String(table.first), true, rulesOf));
}

interface LegacyTable {
  readonly entries: Uint8Array;
  /** Offsets of the chain's first entry and of its policy. */
  readonly first: number;
  readonly policy: number;
}

function readTable({ domain, level, tables }: Program): LegacyTable | undefined {
  if (!hasTable(tables)) return undefined;
  const opened = libc().socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (opened.value < 0) return undefined;
  try {
    const info = named(INFO_LENGTH);
    if (libc().getsockopt(opened.value, level, IPT_SO_GET_INFO, info.bytes).value < 0) return undefined;
    const size = info.view.getUint32(SIZE_AT, true);
    if (size > LEGACY_TABLE_BYTES_MAX) return undefined;
    const { bytes, view } = named(ENTRIES_AT + size);
    view.setUint32(32, size, true);
    // EAGAIN: it has changed in between, and the next look sees it.
    if (libc().getsockopt(opened.value, level, IPT_SO_GET_ENTRIES, bytes).value < 0) return undefined;
    const offset = (of: number) => info.view.getUint32(of + 4 * NF_INET_FORWARD, true);
    return { entries: bytes.subarray(ENTRIES_AT), first: offset(HOOK_ENTRY_AT), policy: offset(UNDERFLOW_AT) };
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
