import { ipFamily, prefixCovers } from "../base/ip.ts";
import type { FilterCondition, FilterRule } from "../wire/filter-rule.ts";
import type { ForwardFlow } from "./forward-flow.ts";

/** NFT_JUMP_STACK_SIZE of net/netfilter/nf_tables.h: the kernel takes no rules that jump deeper. */
export const JUMPS_MAX = 16;
/** Rules that are looked at for one flow through one chain, a chain's as often as it is jumped to: a few milliseconds. */
export const RULES_JUDGED_MAX = 10_000;

/** Rules of a chain, by the name that verdicts have for it. */
export type RulesOf = (chain: string) => Iterable<FilterRule>;

/**
 * Whether a base chain surely lets a flow pass: all of it meets a rule that accepts it, before one refuses it or the
 * rules end.
 *
 * It is said of the flow as a whole: what a rule refuses that asks for more than the flow is known by, invalid packets or
 * a port, somebody wanted refused. Where some of it may return to the caller, the rules behind that do not take all of it.
 *
 * @param dropsByDefault what becomes of the flow where the rules end
 */
export function passesForward(flow: ForwardFlow, chain: string, dropsByDefault: boolean, rulesOf: RulesOf): boolean {
  const fate = new Walk(flow, rulesOf).through(chain, JUMPS_MAX);
  return fate === "accepted" || (fate === "on" && !dropsByDefault);
}

type Match = "always" | "never" | "perhaps";
/** Of what no rule with further conditions has refused; "on" is to go on behind the rule that led here, for some at least. */
type Fate = "accepted" | "refused" | "on";

class Walk {
  readonly #flow: ForwardFlow;
  readonly #rulesOf: RulesOf;
  #left = RULES_JUDGED_MAX;

  constructor(flow: ForwardFlow, rulesOf: RulesOf) {
    this.#flow = flow;
    this.#rulesOf = rulesOf;
  }

  /** @param depth how many jumps more there may be; what is beyond a bound counts as refused */
  through(chain: string, depth: number): Fate {
    if (depth === 0) return "refused";
    let hasLeft = false;
    for (const { conditions, verdict } of this.#rulesOf(chain)) {
      if (this.#left === 0) return "refused";
      this.#left -= 1;
      if (verdict === undefined) continue;
      const match = meets(this.#flow, conditions);
      const isGoto = verdict.kind === "goto";
      // What some of it jumps to may take or refuse that, and the rest has yet to be accepted.
      if (match === "never" || (match === "perhaps" && verdict.kind !== "return" && !isGoto)) continue;
      const fate = isGoto || verdict.kind === "jump" ? this.through(verdict.chain, depth - 1) : FATES[verdict.kind];
      if (match === "perhaps") hasLeft ||= fate === "on";
      else if (fate === "accepted") return hasLeft ? "on" : "accepted";
      else if (fate === "refused" || verdict.kind !== "jump") return fate;
    }
    return "on";
  }
}

const FATES = { accept: "accepted", drop: "refused", unclear: "refused", return: "on" } as const;

function meets(flow: ForwardFlow, conditions: readonly FilterCondition[]): Match {
  const matches = conditions.map((condition) => meetsOne(flow, condition));
  if (matches.includes("never")) return "never";
  return matches.includes("perhaps") ? "perhaps" : "always";
}

function meetsOne(flow: ForwardFlow, condition: FilterCondition): Match {
  if (condition.kind === "unclear") return "perhaps";
  const met = meetsUpright(flow, condition);
  if (!condition.inverted || met === "perhaps") return met;
  return met === "always" ? "never" : "always";
}

function meetsUpright(flow: ForwardFlow, condition: Exclude<FilterCondition, { kind: "unclear" }>): Match {
  if (condition.kind === "family") return condition.family === flow.family ? "always" : "never";
  if (condition.kind === "link") {
    const { name, wildcard } = condition;
    const [link, other] = condition.end === "in" ? [flow.inLink, flow.outLink] : [flow.outLink, flow.inLink];
    // Whatever it is, it is not the one on the other side.
    if (link === undefined) return name === other && !wildcard ? "never" : "perhaps";
    return (wildcard ? link.startsWith(name) : link === name) ? "always" : "never";
  }
  if (ipFamily(condition.prefix.address) !== flow.family) return "never";
  const around = condition.end === "source" ? flow.source : flow.destination;
  if (around === undefined) return "perhaps";
  if (prefixCovers(condition.prefix, around)) return "always";
  return prefixCovers(around, condition.prefix) ? "perhaps" : "never";
}
