import type { Community } from "../../src/network/community.ts";

/** Each member has each other as a peer: a community of 1,000 is a million entries in 1,000 documents. */
export const COMMUNITY_MEMBERS_LIMIT = 1000;
/** Peers of one endpoint from all its communities; 2,000 of the usual size are half of what a ConfigMap holds. */
export const ENDPOINT_PEERS_LIMIT = 2000;

interface Entry {
  readonly community: Community;
  /** Each once, in the order in which they are named, as many as count. */
  readonly members: readonly string[];
  readonly twice: readonly string[];
  readonly surplus: number;
  /** Members that are in too many communities before this one. */
  readonly overloaded: Set<string>;
  /** Those who take part, sorted; undefined: to be made again. */
  participants: readonly string[] | undefined;
}

const NOBODY: readonly string[] = [];

/**
 * Who is in a community with whom. Whoever takes part in a community has all others who do as peers, so peers are
 * always mutual. An endpoint that is in too many communities is left out of the last of them, in the order of names.
 */
export class Membership {
  readonly #entries = new Map<string, Entry>();
  /** Most endpoints are in one community, and an array of one is a tenth of a set. */
  readonly #of = new Map<string, readonly string[]>();

  /** @returns the endpoints whose peers may be others now, and the communities that may have to say so */
  set(
    key: string,
    community: Community | undefined,
  ): { readonly endpoints: ReadonlySet<string>; readonly communities: ReadonlySet<string> } {
    const before = this.#entries.get(key);
    const touched = new Set(before?.members);
    for (const name of before?.members ?? NOBODY) this.#leave(name, key);
    if (community === undefined) {
      this.#entries.delete(key);
    } else {
      const entry = readCommunity(community);
      this.#entries.set(key, entry);
      for (const name of entry.members) this.#join(name, key);
      for (const name of entry.members) touched.add(name);
    }
    const communities = new Set([key]);
    for (const name of [...touched]) this.#weigh(name, touched, communities);
    return { endpoints: touched, communities };
  }

  get(key: string): Omit<Entry, "participants"> | undefined {
    return this.#entries.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** The communities that name the endpoint, whether or not it takes part. */
  communitiesOf(name: string): readonly string[] {
    return this.#of.get(name) ?? NOBODY;
  }

  /** Sorted; they may name endpoints that do not exist. */
  peersOf(name: string): readonly string[] {
    const lists: (readonly string[])[] = [];
    for (const key of this.#of.get(name) ?? NOBODY) {
      const entry = this.#entries.get(key);
      if (entry !== undefined && !entry.overloaded.has(name)) lists.push(participantsOf(entry));
    }
    const [only = NOBODY] = lists;
    const names = lists.length > 1 ? [...new Set(lists.flat())].sort() : only;
    return names.filter((peer) => peer !== name);
  }

  #join(name: string, key: string): void {
    this.#of.set(name, [...(this.#of.get(name) ?? NOBODY), key]);
  }

  #leave(name: string, key: string): void {
    const others = (this.#of.get(name) ?? NOBODY).filter((other) => other !== key);
    if (others.length === 0) this.#of.delete(name);
    else this.#of.set(name, others);
  }

  /** Decides in which of its communities an endpoint takes part. */
  #weigh(name: string, touched: Set<string>, communities: Set<string>): void {
    let peers = 0;
    for (const key of [...(this.#of.get(name) ?? NOBODY)].sort()) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      peers += entry.members.length - 1;
      const over = peers > ENDPOINT_PEERS_LIMIT;
      if (over) peers -= entry.members.length - 1;
      if (over === entry.overloaded.has(name)) continue;
      if (over) entry.overloaded.add(name);
      else entry.overloaded.delete(name);
      entry.participants = undefined;
      communities.add(key);
      for (const member of entry.members) touched.add(member);
    }
  }
}

function participantsOf(entry: Entry): readonly string[] {
  entry.participants ??= entry.members.filter((name) => !entry.overloaded.has(name)).sort();
  return entry.participants;
}

function readCommunity(community: Community): Entry {
  const unique = new Set(community.members);
  const seen = new Set<string>();
  const twice = new Set(community.members.filter((name) => seen.size === seen.add(name).size));
  const members = [...unique].slice(0, COMMUNITY_MEMBERS_LIMIT);
  return {
    community,
    members,
    twice: [...twice],
    surplus: unique.size - members.length,
    overloaded: new Set(),
    participants: undefined,
  };
}
