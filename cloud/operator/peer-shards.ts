import { fnv1a } from "./fnv.ts";

/** As many peers as stand in one document with everything else, as FabEdge has them. */
export const WHOLE_PEERS_LIMIT = 1000;
/** How many further documents there are beyond that: with 20,000 peers each has 630, in 150 KB. */
export const PEER_SHARD_COUNT = 32;

/**
 * The peers of the connector. One ConfigMap has room for some 3,500 of them, and each change of one would send it
 * whole; so beyond a thousand they are spread over further ones by their names, and a change concerns one of these.
 */
export class PeerShards {
  readonly #shards = Array.from({ length: PEER_SHARD_COUNT }, () => new Set<string>());
  #size = 0;

  /** @returns whether that is new */
  set(name: string, present: boolean): boolean {
    const shard = this.#shards[shardOf(name)];
    if (shard === undefined || shard.has(name) === present) return false;
    if (present) shard.add(name);
    else shard.delete(name);
    this.#size += present ? 1 : -1;
    return true;
  }

  /** 0: they stand in one document. */
  get shardCount(): number {
    return this.#size > WHOLE_PEERS_LIMIT ? PEER_SHARD_COUNT : 0;
  }

  /** Sorted. */
  all(): readonly string[] {
    return this.#shards.flatMap((shard) => [...shard]).sort();
  }

  /** Sorted. */
  shard(index: number): readonly string[] {
    return [...(this.#shards[index] ?? [])].sort();
  }
}

export function shardOf(name: string): number {
  return fnv1a(name) % PEER_SHARD_COUNT;
}
