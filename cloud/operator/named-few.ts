/** Names that stand in one sentence. */
const NAMED_LIMIT = 5;

/** "e1, e2 and 4 more": as many as a person reads. */
export function nameFew(names: readonly string[]): string {
  const first = names.slice(0, NAMED_LIMIT).join(", ");
  return names.length > NAMED_LIMIT ? `${first} and ${names.length - NAMED_LIMIT} more` : first;
}
