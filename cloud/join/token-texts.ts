import type { TokenRecord } from "./join-token.ts";

const SHA_256 = /^[0-9a-f]{64}$/;

/** A token's record as it is stored, beside the node's name. */
export interface TokenTexts {
  readonly hash: string;
  /** As RFC 3339 writes times. */
  readonly expires: string;
  readonly key?: string;
}

export function tokenTexts({ hash, expires, key }: TokenRecord): TokenTexts {
  return { hash, expires: new Date(expires).toISOString(), ...(key === undefined ? {} : { key }) };
}

/** @returns undefined where it is no token's */
export function readTokenTexts(node: string, { hash, expires, key }: TokenTexts): TokenRecord | undefined {
  const time = Date.parse(expires);
  if (!SHA_256.test(hash) || Number.isNaN(time) || (key !== undefined && !SHA_256.test(key))) return undefined;
  return { node, hash, expires: time, key };
}
