import type { CharonCommands } from "./charon-commands.ts";
import type { CharonCredentials } from "./tunnel-state.ts";

/** By it our authorities are told from those of an administrator. */
const AUTHORITY_PREFIX = "selvedge-";

/**
 * Charon's keys and authorities. New ones are loaded before the connections that need them, and old ones dropped after, so
 * that at every moment there is what both ends need.
 *
 * Charon has no word for dropping one certificate, an intermediate or one's own of before a renewal: each takes 11 KB until
 * charon ends, with six renewals a year 70 KB. `flush-certs` is for others, and `clear-creds` would take an administrator's
 * keys along.
 */
export class CredentialKeeper {
  /** Charon's name of each key that this session loaded, by what it is. */
  readonly #keys = new Map<string, string>();
  readonly #intermediates = new Set<string>();
  #authorities = new Set<string>();

  /** A new session: what charon has is asked of it, or loaded again. */
  async start(commands: CharonCommands): Promise<void> {
    this.#keys.clear();
    this.#intermediates.clear();
    const names = await commands.authorityNames();
    this.#authorities = new Set(names.filter((name) => name.startsWith(AUTHORITY_PREFIX)));
  }

  /** @throws SelvedgeError CHARON_REFUSED for what is no key or certificate, and what the session throws */
  async load(commands: CharonCommands, credentials: CharonCredentials): Promise<void> {
    for (const pem of credentials.authorities) {
      const name = authorityName(pem);
      if (this.#authorities.has(name)) continue;
      await commands.loadAuthority(name, pem);
      this.#authorities.add(name);
    }
    for (const pem of credentials.certificates.slice(1)) {
      const digest = digestOf(pem);
      if (this.#intermediates.has(digest)) continue;
      await commands.loadIntermediate(pem);
      this.#intermediates.add(digest);
    }
    for (const pem of credentials.privateKeys) {
      const digest = digestOf(pem);
      if (!this.#keys.has(digest)) this.#keys.set(digest, await commands.loadKey(pem));
    }
  }

  /** Drops what is no longer among the credentials. */
  async dropOthers(commands: CharonCommands, credentials: CharonCredentials): Promise<void> {
    const authorities = new Set(credentials.authorities.map(authorityName));
    for (const name of this.#authorities) {
      if (authorities.has(name)) continue;
      await commands.unloadAuthority(name);
      this.#authorities.delete(name);
    }
    const keys = new Set(credentials.privateKeys.map(digestOf));
    for (const [digest, id] of this.#keys) {
      if (keys.has(digest)) continue;
      await commands.unloadKey(id);
      this.#keys.delete(digest);
    }
  }
}

function authorityName(pem: string): string {
  return `${AUTHORITY_PREFIX}${digestOf(pem).slice(0, 16)}`;
}

/** Line ends do not matter. */
function digestOf(pem: string): string {
  return new Bun.CryptoHasher("sha256").update(pem.replace(/\s+/g, "")).digest("hex");
}
