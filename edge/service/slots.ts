import type { Backend } from "./frontend.ts";

/**
 * Gives every backend a number from 0 to n - 1, changing as few as possible: those that stay keep theirs, and the
 * others fill the holes. So an endpoint more or less is two or three elements, however many there are.
 */
export function assignSlots(before: readonly Backend[], wanted: readonly Backend[]): readonly Backend[] {
  if (before.length === 0) return wanted;
  const missing = new Map(wanted.map((backend) => [backendId(backend), backend]));
  const slots: (Backend | undefined)[] = Array.from({ length: wanted.length }, (_, i) => {
    const kept = before[i];
    if (kept === undefined) return undefined;
    const id = backendId(kept);
    const now = missing.get(id);
    missing.delete(id);
    return now;
  });
  const rest = missing.values();
  return slots.map((slot) => slot ?? rest.next().value).filter((slot) => slot !== undefined);
}

export function backendId(backend: Pick<Backend, "address" | "port">): string {
  return `${backend.address} ${backend.port}`;
}
