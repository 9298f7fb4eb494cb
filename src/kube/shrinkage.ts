/**
 * A source that loses its objects sends an empty list, and so does one whose last object was deleted. Up to this many
 * objects a list may shrink as it likes, unless to nothing.
 */
export const SHRINK_FREE = 20;
/** More than this part of the objects gone in one list has to be said twice. */
export const SHRINK_MOST = 0.5;

/** Whether a list lacks so much of what is known that a second one has to confirm it. */
export function isSuspicious(known: number, absent: number, listed: number): boolean {
  return (listed === 0 && absent > 0) || (known >= SHRINK_FREE && absent > known * SHRINK_MOST);
}
