/** Of all agents, as maxUnavailable of a DaemonSet has it; one at least. */
const SHARE = 0.1;

export interface RolloutOptions {
  /** Whether the node's kubelet is there: nobody waits for what it cannot start. */
  readonly isLive: (node: string) => boolean;
  /** Of all nodes. */
  readonly agentCount: () => number;
  /** Its agent may be replaced now: it has to ask again. */
  readonly onTurn: (node: string) => void;
  /** The first of many waits, for the agents of these nodes. */
  readonly onWait: (unready: readonly string[]) => void;
}

/** One agent of a node, as far as it matters here. */
export interface RollingAgent {
  readonly node: string;
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly ended: boolean;
}

/** A pod that has ended may still be called ready. */
export function isWorking({ ready, terminating, ended }: RollingAgent): boolean {
  return ready && !terminating && !ended;
}

/**
 * When an agent that works may be replaced by one of another spec: while few nodes are without one. An image that cannot
 * be pulled, or an argument that is wrong, so takes the tunnels of a tenth of the nodes, and not of all.
 */
export class Rollout {
  readonly #options: RolloutOptions;
  /** Nodes that live, without an agent that is ready. */
  readonly #unready = new Set<string>();
  /** Nodes whose agent was told to end, which is seen later. */
  readonly #replaced = new Set<string>();
  readonly #waiting = new Set<string>();
  #told = false;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  get unreadyCount(): number {
    return this.#unready.size;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** What was seen by whoever led before is not known. @param agents of all nodes */
  begin(agents: Iterable<RollingAgent>): void {
    for (const set of [this.#unready, this.#waiting]) set.clear();
    this.#told = false;
    const working = new Set<string>();
    for (const agent of agents) {
      if (isWorking(agent)) working.add(agent.node);
      else if (this.#options.isLive(agent.node)) this.#unready.add(agent.node);
    }
    for (const node of working) this.#unready.delete(node);
  }

  /**
   * @param agents of that node, which is to have one
   * @param isWanted whether one of them is of the wanted spec
   */
  see(node: string, agents: readonly RollingAgent[], isWanted: boolean): void {
    const works = agents.some(isWorking);
    if (isWanted || !works) this.#replaced.delete(node);
    const isReady = works && !this.#replaced.has(node);
    if (isReady || !this.#options.isLive(node)) this.#unready.delete(node);
    else this.#unready.add(node);
    this.#proceed();
  }

  /** The node is to have no agent any more. */
  forget(node: string): void {
    for (const set of [this.#unready, this.#replaced, this.#waiting]) set.delete(node);
    this.#proceed();
  }

  /** @returns false: not yet; onTurn says when. What does not work may always be replaced, and need not ask */
  mayReplace(node: string): boolean {
    if (this.#replaced.has(node) || this.#room > 0) {
      this.#replaced.add(node);
      this.#unready.add(node);
      this.#waiting.delete(node);
      return true;
    }
    if (!this.#told) this.#options.onWait([...this.#unready]);
    this.#told = true;
    this.#waiting.add(node);
    return false;
  }

  get #room(): number {
    return Math.max(1, Math.floor(SHARE * this.#options.agentCount())) - this.#unready.size;
  }

  #proceed(): void {
    if (this.#waiting.size === 0 && this.#unready.size === 0) this.#told = false;
    let room = this.#room;
    for (const node of this.#waiting) {
      if (room-- <= 0) return;
      this.#options.onTurn(node);
    }
  }
}
