import type { Family } from "../base/ip.ts";
import {
  conditionsOfMatch,
  type FilterCondition,
  type FilterRule,
  type FilterVerdict,
  linkNamed,
  prefixOfMask,
  UNCLEAR,
  untilNul,
  verdictOfTarget,
} from "./filter-rule.ts";

/**
 * struct ipt_entry and struct ip6t_entry: source, destination and their masks; char iniface[16], outiface[16], and their
 * masks; u16 protocol; flags; then where the target begins and where the next entry does, counters, and the matches.
 */
const LAYOUTS = {
  4: { address: 4, protocolAt: 80, flagsAt: 82, invertedAt: 83, targetOffsetAt: 88, matchesAt: 112, goto: 0x02 },
  6: { address: 16, protocolAt: 128, flagsAt: 131, invertedAt: 132, targetOffsetAt: 140, matchesAt: 168, goto: 0x04 },
} as const;
const IFNAMSIZ = 16;
/** IPT_INV_VIA_IN and so on; the numbers are the same in both. */
const INVERTED = { in: 0x01, out: 0x02, source: 0x08, destination: 0x10 };

/** struct xt_entry_match and xt_entry_target: u16 size, char name[29], u8 revision; of standard targets, i32 verdict. */
const NAME_AT = 2;
const NAME_LENGTH = 29;
const EXTENSION_LENGTH = 32;
/** -NF_DROP - 1, -NF_ACCEPT - 1 and XT_RETURN; from 0 on it is where to go on. */
const VERDICTS: ReadonlyMap<number, "drop" | "accept" | "return"> = new Map([
  [-1, "drop"],
  [-2, "accept"],
  [-5, "return"],
]);
/** The target at the head of a chain, and behind the last one. */
const LABEL = "ERROR";

/**
 * The rules of iptables-legacy from one place on, as IPT_SO_GET_ENTRIES gives them. Chains are the offsets of their
 * first rules, and each ends with a rule that says so; what does not fit ends them, too.
 */
export function* decodeLegacyRules(entries: Uint8Array, start: number, family: Family): Generator<FilterRule> {
  const { targetOffsetAt, matchesAt } = LAYOUTS[family];
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  let at = start;
  while (at + matchesAt + EXTENSION_LENGTH <= entries.length) {
    const target = at + view.getUint16(at + targetOffsetAt, true);
    const next = at + view.getUint16(at + targetOffsetAt + 2, true);
    if (target < at + matchesAt || next < target + EXTENSION_LENGTH || next > entries.length) return;
    const name = nameAt(entries, target);
    if (name === LABEL) return;
    const conditions = [...conditionsAt(entries, at, family), ...matchesIn(entries, at + matchesAt, target)];
    const verdict = name === "" ? standardVerdict(view, at, target, next, family) : verdictOfTarget(name);
    yield { conditions, verdict };
    at = next;
  }
}

function standardVerdict(
  view: DataView,
  at: number,
  target: number,
  next: number,
  family: Family,
): FilterVerdict | undefined {
  if (target + EXTENSION_LENGTH + 4 > next) return { kind: "unclear" };
  const verdict = view.getInt32(target + EXTENSION_LENGTH, true);
  if (verdict < 0) return { kind: VERDICTS.get(verdict) ?? "unclear" };
  if (verdict === next) return undefined;
  const { flagsAt, goto } = LAYOUTS[family];
  return { kind: (view.getUint8(at + flagsAt) & goto) === 0 ? "jump" : "goto", chain: String(verdict) };
}

function conditionsAt(entries: Uint8Array, at: number, family: Family): readonly FilterCondition[] {
  const { address, protocolAt, flagsAt, invertedAt, goto } = LAYOUTS[family];
  const part = (from: number, length: number) => entries.subarray(at + from, at + from + length);
  const isInverted = (end: keyof typeof INVERTED) => ((entries[at + invertedAt] ?? 0) & INVERTED[end]) !== 0;
  const addresses = (["source", "destination"] as const).flatMap((end, i): readonly FilterCondition[] => {
    const prefix = prefixOfMask(part(i * address, address), part((2 + i) * address, address));
    if (prefix === undefined) return [UNCLEAR];
    const inverted = isInverted(end);
    return prefix.length === 0 && !inverted ? [] : [{ kind: "address", end, prefix, inverted }];
  });
  const links = (["in", "out"] as const).flatMap((end, i): readonly FilterCondition[] => {
    const [name, mask] = [0, 2].map((skip) => part(4 * address + (i + skip) * IFNAMSIZ, IFNAMSIZ));
    const compared = mask?.lastIndexOf(0xff) ?? -1;
    return name === undefined || compared < 0 ? [] : [linkNamed(end, name.subarray(0, compared + 1), isInverted(end))];
  });
  const hasOthers = ((entries[at + flagsAt] ?? 0) & ~goto) !== 0 || part(protocolAt, 2).some((byte) => byte !== 0);
  return [...addresses, ...links, ...(hasOthers ? [UNCLEAR] : [])];
}

function* matchesIn(entries: Uint8Array, start: number, end: number): Generator<FilterCondition> {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  let at = start;
  while (at + EXTENSION_LENGTH <= end) {
    yield* conditionsOfMatch(nameAt(entries, at));
    // A size that cannot be ends it, and what is behind is not known.
    const size = view.getUint16(at, true);
    if (size < EXTENSION_LENGTH) return yield UNCLEAR;
    at += size;
  }
}

function nameAt(entries: Uint8Array, at: number): string {
  return untilNul(entries.subarray(at + NAME_AT, at + NAME_AT + NAME_LENGTH));
}
