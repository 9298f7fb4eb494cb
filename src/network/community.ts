/** Endpoints that want to reach each other: a `communities.fabedge.io`. */
export interface Community {
  readonly name: string;
  /** Endpoint names, as they are written: they may be unknown, or stand twice. */
  readonly members: readonly string[];
  /** metadata.generation, for status.observedGeneration. */
  readonly generation: number;
}
