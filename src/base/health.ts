/** info: worth knowing; degraded: part of the job is not done; failed: the component does nothing. */
export type Severity = "info" | "degraded" | "failed";

export interface Condition {
  /** Stable, such as "NFT_MISSING"; docs/errors.md lists every one. */
  readonly code: string;
  /** The component that speaks: "service", "dns", "cache", "source". */
  readonly component: string;
  readonly severity: Severity;
  /** "Cannot X as Y: current value is Z". */
  readonly message: string;
  readonly hint: string;
  /** Wall time in milliseconds since 1970. */
  readonly since: number;
}

/** What is wrong now. A condition is raised and cleared by its component; raising it again keeps `since`. */
export class Health {
  readonly #conditions = new Map<string, Condition>();
  readonly #wall: () => number;
  readonly #onChange: (condition: Condition, raised: boolean) => void;

  constructor(wall: () => number, onChange: (condition: Condition, raised: boolean) => void) {
    this.#wall = wall;
    this.#onChange = onChange;
  }

  raise(condition: Omit<Condition, "since">): void {
    const key = `${condition.component}/${condition.code}`;
    const before = this.#conditions.get(key);
    if (before !== undefined && before.message === condition.message && before.severity === condition.severity) return;
    const raised = { ...condition, since: before?.since ?? this.#wall() };
    this.#conditions.set(key, raised);
    this.#onChange(raised, true);
  }

  clear(component: string, code: string): void {
    const key = `${component}/${code}`;
    const before = this.#conditions.get(key);
    if (before === undefined) return;
    this.#conditions.delete(key);
    this.#onChange(before, false);
  }

  /** Worst first, then by component and code. */
  list(): readonly Condition[] {
    const rank: Readonly<Record<Severity, number>> = { failed: 0, degraded: 1, info: 2 };
    return [...this.#conditions.values()].sort(
      (a, b) =>
        rank[a.severity] - rank[b.severity] || a.component.localeCompare(b.component) || a.code.localeCompare(b.code),
    );
  }
}
