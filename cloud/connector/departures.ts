export interface DeparturesOptions {
  /** Ends the edge's IKE_SAs here. @throws where charon is away */
  readonly end: (edge: string) => Promise<void>;
  /** Whether it has come again since. */
  readonly holds: (edge: string) => boolean;
}

/** Edges that have gone to another connector, and whose IKE_SAs here end: one after the other, however many they are. */
export class Departures {
  readonly #options: DeparturesOptions;
  /** In order. */
  readonly #edges = new Set<string>();

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Charon's queue is short, and is everybody's: a whole fleet at once would fill it. */
  async add(edges: readonly string[]): Promise<void> {
    const isRunning = this.#edges.size > 0;
    for (const edge of edges) this.#edges.add(edge);
    if (isRunning) return;
    for (const edge of this.#edges) {
      // Where charon is away they are asked to go again when it is back.
      if (!this.#options.holds(edge)) await this.#options.end(edge).catch(() => {});
      this.#edges.delete(edge);
    }
  }
}
