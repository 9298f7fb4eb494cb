import type { Clock } from "../../src/base/clock.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import type { Log } from "../../src/base/log.ts";
import { parseRequest } from "../../src/certificate/request.ts";
import { parseToken, refusal, type TokenRecord, USED } from "./join-token.ts";

/** Where tokens are kept. */
export interface TokenStore {
  find(node: string): Promise<{ readonly record: TokenRecord; readonly version: string } | undefined>;
  /** From now on it is for this key alone. @returns false: it is not what `find` saw, so somebody else has come first */
  bind(node: string, version: string, key: string): Promise<boolean>;
}

/** Who gives certificates to nodes. Names are its decision; the node brings nothing but a key. */
export interface Registrar {
  /** PEM of all that is trusted, the one that signs first. */
  bundle(): Promise<string>;
  /** @throws SelvedgeError JOIN_NODE_REFUSED, JOIN_NOT_READY: it could not be admitted now */
  check(node: string): Promise<void>;
  /** @returns PEM. @throws as `check` */
  admit(node: string, publicKey: Uint8Array<ArrayBuffer>): Promise<string>;
}

export interface JoinAnswer {
  readonly node: string;
  readonly certificate: string;
  readonly bundle: string;
}

export interface JoinDeskDeps {
  readonly tokens: TokenStore;
  readonly registrar: Registrar;
  /** SHA-256 in lower-case hexadecimal. */
  readonly hash: (text: string) => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tries in a minute, of everybody together. A token has 128 bits: this is for the load, not for the guessing. */
const TRIES_PER_MINUTE = 600;

/** Lets a node in that shows a token of its name and a key of its own. */
export class JoinDesk {
  readonly #deps: JoinDeskDeps;
  #minute = 0;
  #tries = 0;

  constructor(deps: JoinDeskDeps) {
    this.#deps = deps;
  }

  bundle(): Promise<string> {
    return this.#deps.registrar.bundle();
  }

  /** @throws SelvedgeError JOIN_BUSY, JOIN_TOKEN_REFUSED, JOIN_REQUEST_INVALID, and those of the registrar */
  async join(tokenText: string, requestText: string): Promise<JoinAnswer> {
    const { tokens, registrar, clock, log } = this.#deps;
    this.#count(clock.wall());
    const token = parseToken(tokenText);
    if (!token.ok) throw refused(token.error.why);
    const { node, secret } = token.value;
    // Before the token is used up: whoever sends nonsense may correct it.
    const request = parseRequest(requestText);
    if (!request.ok) {
      throw new SelvedgeError(`Cannot let node "${node}" in as its certificate request is none: ${request.error.why}`, {
        code: "JOIN_REQUEST_INVALID",
        blame: "peer",
        retry: "never",
        hint: "Use selvedge join of the same version as the operator.",
      });
    }
    const found = await tokens.find(node);
    const key = this.#deps.hash(request.value.publicKey.toHex());
    const why = refusal(found?.record, { node, hash: this.#deps.hash(secret), key }, clock.wall());
    if (found === undefined || why !== undefined) throw refused(why ?? USED);
    // Whoever comes too early keeps the token.
    await registrar.check(node);
    // First bound, then served: of two who come with one token at once, one is refused.
    if (found.record.key === undefined && !(await tokens.bind(node, found.version, key))) throw refused(USED);
    const certificate = await registrar.admit(node, request.value.publicKey);
    log.info("join.admitted", "A node has joined with a key of its own.", { name: node });
    return { node, certificate, bundle: await registrar.bundle() };
  }

  #count(now: number): void {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) this.#tries = 0;
    this.#minute = minute;
    this.#tries += 1;
    if (this.#tries <= TRIES_PER_MINUTE) return;
    throw new SelvedgeError(`Cannot let nodes in as too many try: more than ${TRIES_PER_MINUTE} in this minute`, {
      code: "JOIN_BUSY",
      blame: "peer",
      retry: "later",
      hint: "Try again in a minute.",
    });
  }
}

function refused(why: string): SelvedgeError {
  return new SelvedgeError(`Cannot let the node in as its token is refused: ${why}`, {
    code: "JOIN_TOKEN_REFUSED",
    blame: "user",
    retry: "never",
    hint: "Make another one with: selvedge-cloud token create NODE. It is for that node, for one use, and for a day.",
  });
}
