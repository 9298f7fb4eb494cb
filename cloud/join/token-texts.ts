import type { TokenRecord } from "./join-token.ts";

/** A token's record as it is stored, beside the node's name. */
export interface TokenTexts {
  readonly hash: string;
  /** As RFC 3339 writes times. */
  readonly expires: string;
}

export function tokenTexts({ hash, expires }: TokenRecord): TokenTexts {
  return { hash, expires: new Date(expires).toISOString() };
}

/** @returns undefined where it is no token's */
export function readTokenTexts(node: string, { hash, expires }: TokenTexts): TokenRecord | undefined {
  const time = Date.parse(expires);
  return /^[0-9a-f]{64}$/.test(hash) && !Number.isNaN(time) ? { node, hash, expires: time } : undefined;
}
