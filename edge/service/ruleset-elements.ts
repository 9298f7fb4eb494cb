import { type Family, type Ip, ipFamily, makePrefix, type Prefix } from "../../src/base/ip.ts";
import type { Protocol } from "../../src/network/service.ts";
import type { FieldValue, SetElement } from "../../src/wire/nftables-element.ts";
import type { Verdict } from "../../src/wire/nftables-expression.ts";
import { lastAddress, outermost, rangeElements } from "../../src/wire/nftables-range.ts";
import type { Backend, Frontend } from "./frontend.ts";
import { balanceChain, LOCAL_SLOT_OFFSET, rememberChain, type SetName } from "./ruleset.ts";
import { backendId } from "./slots.ts";

/** A frontend with the number of each endpoint. */
export interface PlacedFrontend {
  readonly frontend: Frontend;
  readonly slots: readonly Backend[];
  /** Of its external backends. */
  readonly localSlots: readonly Backend[];
}

export type EmitElement = (set: SetName, element: SetElement) => void;

/** Sets whose elements several frontends want: one is there while anybody wants it. */
export const SHARED_SETS: ReadonlySet<SetName> = new Set(["cluster-ips", "hairpin", "fallback"]);

/** IANA's numbers. */
export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/**
 * The prefixes that a node without a default route sends into its own translation: wide, as services come and go
 * within them, and consulted only when nothing else matches.
 */
const FALLBACK_PREFIX_LENGTHS: Readonly<Record<Family, number>> = { 4: 16, 6: 112 };

export function fallbackPrefix(address: Ip): Prefix {
  const family = ipFamily(address);
  const make = () => makePrefix(address, FALLBACK_PREFIX_LENGTHS[family]);
  // Ten thousand addresses have a handful of prefixes: those of IPv4 are in the text.
  return family === 4
    ? memoized(prefixes, address.slice(0, address.indexOf(".", address.indexOf(".") + 1)), make)
    : make();
}

/** Everything in the kernel's maps and sets that one frontend needs. */
export function planElements(placed: PlacedFrontend, emit: EmitElement): void {
  const { frontend } = placed;
  const protocol = PROTOCOL_NUMBERS[frontend.protocol];
  const { address, port } = frontend;
  const nodePort = address === undefined;
  const entrance: readonly FieldValue[] = nodePort ? [protocol, port] : [address, protocol, port];

  planEntrance(placed, entrance, emit);
  const endpoints = nodePort ? "node-endpoints" : "endpoints";
  planSlots(endpoints, entrance, placed.slots, 0, emit);
  planSlots(endpoints, entrance, placed.localSlots, LOCAL_SLOT_OFFSET, emit);
  planAfterTranslation(placed, entrance, emit);
  if (frontend.kind === "cluster-ip" && address !== undefined) {
    emit("cluster-ips", { key: [address] });
    for (const element of fallbackElements(address)) emit("fallback", element);
  }
}

/** Which chain the first packet goes to. */
function planEntrance(placed: PlacedFrontend, key: readonly FieldValue[], emit: EmitElement): void {
  const { frontend, slots, localSlots } = placed;
  const nodePort = frontend.address === undefined;
  const affinity = frontend.affinitySeconds !== undefined;
  const inside = slots.length === 0 ? "refuse" : balanceChain({ nodePort, local: false }, slots.length, affinity);
  let outside = inside;
  if (frontend.externalBackends !== undefined && slots.length + localSlots.length > 0) {
    const { length } = localSlots;
    outside = balanceChain({ nodePort, local: true }, length, affinity && length > 0);
    emit(nodePort ? "node-internal" : "internal", { key, verdict: goTo(inside) });
  }
  if (nodePort) emit("node-ports", { key, verdict: goTo(outside) });
  else if (frontend.sourceRanges.length === 0) {
    emit("services", { key, verdict: goTo(outside) });
  } else {
    emit("services", { key, verdict: goTo("firewall") });
    emit("admitted", { key, verdict: goTo(outside) });
    for (const range of outermost(frontend.sourceRanges, frontend.family)) {
      const [first, last] = [range.address, lastAddress(range)];
      emit("allowed-sources", { key: [...key, first], keyEnd: [...key, last] });
    }
  }
}

/** What has to be known once the destination is an endpoint: whom to remember, and whose source to replace. */
function planAfterTranslation(placed: PlacedFrontend, entrance: readonly FieldValue[], emit: EmitElement): void {
  const { frontend, slots, localSlots } = placed;
  const { affinitySeconds, kind } = frontend;
  const nodePort = kind === "node-port";
  const remember = affinitySeconds === undefined ? undefined : jump(rememberChain(nodePort, affinitySeconds));
  const masquerade =
    kind === "cluster-ip"
      ? undefined
      : goTo(frontend.externalBackends === undefined ? "masquerade-all" : "masquerade-own");

  const backends = localSlots.length === 0 ? slots : distinct([...slots, ...localSlots]);
  if (!nodePort && backends.length > 0) {
    if (remember !== undefined) emit("remember", { key: entrance, verdict: remember });
    if (masquerade !== undefined) emit("masqueraded", { key: entrance, verdict: masquerade });
  }
  const onNode = new Set<Ip>();
  for (const { address, port, local } of backends) {
    if (local) onNode.add(address);
    if (nodePort) {
      const key = [...entrance, address, port];
      if (remember !== undefined) emit("node-remember", { key, verdict: remember });
      if (masquerade !== undefined) emit("node-masqueraded", { key, verdict: masquerade });
    }
  }
  for (const address of onNode) emit("hairpin", { key: [address, address] });
}

function planSlots(
  set: SetName,
  entrance: readonly FieldValue[],
  slots: readonly Backend[],
  offset: number,
  emit: EmitElement,
): void {
  let slot = offset;
  for (const { address, port } of slots) {
    emit(set, { key: entrance.concat(slot++), data: [address, port] });
  }
}

function distinct(backends: readonly Backend[]): readonly Backend[] {
  return [...new Map(backends.map((backend) => [backendId(backend), backend])).values()];
}

/** Ten thousand services share a handful of chains and prefixes: each is made once. */
const gotos = new Map<string, Verdict>();
const jumps = new Map<string, Verdict>();
const prefixes = new Map<string, Prefix>();
const fallbacks = new Map<string, readonly SetElement[]>();

function goTo(chain: string): Verdict {
  return memoized(gotos, chain, () => ({ kind: "goto", chain }));
}

function jump(chain: string): Verdict {
  return memoized(jumps, chain, () => ({ kind: "jump", chain }));
}

function fallbackElements(address: Ip): readonly SetElement[] {
  const prefix = fallbackPrefix(address);
  return memoized(fallbacks, prefix.address, () => rangeElements(prefix));
}

function memoized<V>(memory: Map<string, V>, key: string, make: () => V): V {
  let value = memory.get(key);
  if (value === undefined) {
    value = make();
    memory.set(key, value);
  }
  return value;
}
