import { hours } from "../../src/base/duration.ts";
import { type DecodeError, fail, ok, type Result } from "../../src/base/result.ts";

/** What is kept of a token: enough to know it again, not to make it. Times in milliseconds since 1970. */
export interface TokenRecord {
  readonly node: string;
  /** SHA-256 of the secret, in lower-case hexadecimal. */
  readonly hash: string;
  readonly expires: number;
  /** SHA-256 of the public key that it has let in, in lower-case hexadecimal; undefined: nobody's yet. */
  readonly key: string | undefined;
}

export interface JoinToken {
  readonly node: string;
  readonly secret: string;
}

/** Long enough for a visit to the site, short enough for a slip of paper. */
export const TOKEN_LIFE = hours(24);
/** 128 bits. */
export const SECRET_BYTES = 16;
const SECRET = /^[0-9a-f]{32}$/;
export const USED = "it is not known, or was used";
/** RFC 1123 subdomain: what a Node may be called. */
const NODE = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
export const TOKEN_LENGTH_MAX = 253 + 1 + 2 * SECRET_BYTES;

/** "edge1.0123…": the node's name is in it, so that a token says by itself whom it lets in. */
export function formatToken({ node, secret }: JoinToken): string {
  return `${node}.${secret}`;
}

export function parseToken(text: string): Result<JoinToken, DecodeError> {
  const refuse = (why: string) => fail({ at: "join token", why });
  if (text.length > TOKEN_LENGTH_MAX) return refuse(`it has ${text.length} characters, more than ${TOKEN_LENGTH_MAX}`);
  const dot = text.lastIndexOf(".");
  const [node, secret] = [text.slice(0, Math.max(0, dot)), text.slice(dot + 1)];
  if (!SECRET.test(secret) || !isNodeName(node)) return refuse("it is not NODE.SECRET with 32 hexadecimal digits");
  return ok({ node, secret });
}

export function isNodeName(text: string): boolean {
  return NODE.test(text);
}

/**
 * Whoever has come with a key may come again with the same one while the token lasts: what it was answered may have
 * been lost, or never written.
 *
 * @param hash the one of the secret that was shown; equal lengths are compared in equal time
 * @param key the one that a certificate is wanted for, as in {@link TokenRecord}
 */
export function refusal(
  record: TokenRecord | undefined,
  { node, hash, key }: { readonly node: string; readonly hash: string; readonly key: string },
  now: number,
): string | undefined {
  // One sentence for all that an attacker could learn from: whether a node has a token is nobody's business.
  if (record === undefined || record.node !== node || !sameText(record.hash, hash)) return USED;
  if (record.key !== undefined && record.key !== key) return USED;
  return now < record.expires ? undefined : `it ended at ${new Date(record.expires).toISOString()}`;
}

function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ (b.charCodeAt(i) || 0);
  return difference === 0;
}
