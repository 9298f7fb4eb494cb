import { COMMUNITY_MEMBERS_LIMIT, ENDPOINT_PEERS_LIMIT, type Membership } from "./membership.ts";
import { nameFew } from "./named-few.ts";
import type { Problem } from "./problem.ts";

/** Members that a status names one by one; a status with all of a thousand would be most of the object. */
export const REPORTED_MEMBERS_LIMIT = 100;

export type MemberState = "Ready" | "Unknown" | "NotReady" | "Overloaded";

export interface CommunityReport {
  readonly generation: number;
  readonly memberCount: number;
  readonly readyCount: number;
  /** Those that are not ready first, then by name. */
  readonly members: readonly { readonly name: string; readonly state: MemberState }[];
  readonly problems: readonly Problem[];
}

/** What the names of a community lead to. */
export interface MemberLookup {
  readonly usable: (name: string) => boolean;
  /** A node of this cluster is meant, which cannot be an endpoint now. */
  readonly known: (name: string) => boolean;
  /** What a name that leads nowhere was perhaps meant to be. */
  readonly meant: (name: string) => string | undefined;
}

export function reportCommunity(
  key: string,
  membership: Membership,
  lookup: MemberLookup,
): CommunityReport | undefined {
  const entry = membership.get(key);
  if (entry === undefined) return undefined;
  const { community, members, twice, surplus, overloaded } = entry;
  const states = members.map((name) => ({ name, state: stateOf(name, overloaded, lookup) }));
  const named = (state: MemberState) => states.filter((m) => m.state === state).map((m) => m.name);
  const ready = named("Ready");
  const problems: Problem[] = [];
  if (ready.length < 2) {
    problems.push({
      code: "COMMUNITY_ALONE",
      severity: "failed",
      message: `Cannot connect anybody through community ${community.name} as fewer than two of its members can be used: current value is ${ready.join(", ") || "none"}`,
      hint: "Name at least two endpoints in spec.members, as CLUSTER.NODE or CLUSTER.connector.",
    });
  }
  const unknown = named("Unknown");
  if (unknown.length > 0) problems.push(memberUnknown(community.name, unknown, lookup));
  const away = named("NotReady");
  if (away.length > 0) {
    problems.push({
      code: "MEMBER_NOT_READY",
      severity: "degraded",
      message: `Cannot connect ${nameFew(away)} in community ${community.name} as something is wrong with the node`,
      hint: "See the Events of the Node.",
    });
  }
  if (twice.length > 0) {
    problems.push({
      code: "MEMBER_TWICE",
      severity: "info",
      message: `Community ${community.name} names ${nameFew(twice)} more than once`,
      hint: "Name each member once; it counts as one.",
    });
  }
  if (surplus > 0) {
    problems.push({
      code: "COMMUNITY_TOO_LARGE",
      severity: "degraded",
      message: `Cannot connect all members of community ${community.name} as it has more than ${COMMUNITY_MEMBERS_LIMIT}: current value is ${members.length + surplus}`,
      hint: "Split it into smaller communities; the first that are named are connected.",
    });
  }
  const busy = named("Overloaded");
  if (busy.length > 0) {
    problems.push({
      code: "MEMBER_OVERLOADED",
      severity: "degraded",
      message: `Cannot connect ${nameFew(busy)} in community ${community.name} as its other communities give it ${ENDPOINT_PEERS_LIMIT} peers already`,
      hint: "Take it out of other communities, or make these smaller.",
    });
  }
  const order = [...states].sort(
    (a, b) => Number(a.state === "Ready") - Number(b.state === "Ready") || (a.name < b.name ? -1 : 1),
  );
  return {
    generation: community.generation,
    memberCount: members.length + surplus,
    readyCount: ready.length,
    members: order.slice(0, REPORTED_MEMBERS_LIMIT),
    problems,
  };
}

function stateOf(name: string, overloaded: ReadonlySet<string>, lookup: MemberLookup): MemberState {
  if (!lookup.usable(name)) return lookup.known(name) ? "NotReady" : "Unknown";
  return overloaded.has(name) ? "Overloaded" : "Ready";
}

function memberUnknown(community: string, names: readonly string[], lookup: MemberLookup): Problem {
  const meant = names.flatMap((name) => lookup.meant(name) ?? [])[0];
  return {
    code: "MEMBER_UNKNOWN",
    severity: "degraded",
    message: `Cannot connect ${nameFew(names)} in community ${community} as there is no such endpoint`,
    hint:
      meant === undefined
        ? "Correct the name, label the node as an edge node, or wait until its cluster has registered it."
        : `Write ${meant}: a member is named CLUSTER.NODE or CLUSTER.connector.`,
  };
}
