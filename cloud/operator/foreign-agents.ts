import type { AgentPod } from "./observed-documents.ts";

/** On which nodes agents run that this operator has not made, as FabEdge's do until their nodes are moved. */
export class ForeignAgents {
  /** By pod. */
  readonly #nodes = new Map<string, string>();
  /** How many there are, by node. */
  readonly #counts = new Map<string, number>();
  #touched = new Set<string>();

  /** @param key of the pod, which never goes to another node */
  setPod(key: string, pod: AgentPod | undefined): void {
    const node = pod?.hash === undefined ? pod?.node : undefined;
    const before = this.#nodes.get(key);
    if (node === before) return;
    if (before !== undefined) this.#count(before, -1);
    if (node === undefined) {
      this.#nodes.delete(key);
    } else {
      this.#nodes.set(key, node);
      this.#count(node, 1);
    }
  }

  has(node: string): boolean {
    return this.#counts.has(node);
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** Where they run. */
  nodes(): IterableIterator<string> {
    return this.#counts.keys();
  }

  /** @returns the nodes for which the answer may be another one since the last time */
  settle(): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  #count(node: string, step: 1 | -1): void {
    const count = (this.#counts.get(node) ?? 0) + step;
    if (count === 0) this.#counts.delete(node);
    else this.#counts.set(node, count);
    this.#touched.add(node);
  }
}
