import type { Clock, MonotonicTime } from "../base/clock.ts";
import { seconds } from "../base/duration.ts";
import { errorCode, errorText } from "../base/errors.ts";
import { isFabricConnection, type TunnelConnection } from "../network/tunnel-connection.ts";
import { VICI_PACKET_BYTES_MAX } from "../wire/vici.ts";
import type { CharonCommands, LoadedConnection } from "./charon-commands.ts";
import { connectionFields } from "./connection-fields.ts";
import { CredentialKeeper } from "./credential-keeper.ts";
import type { CharonCredentials, WantedTunnels } from "./tunnel-state.ts";

/** Whether somebody took our connections away: `swanctl --load-all` does. */
const AUDIT_EVERY = seconds(10);
/** What charon refuses it may take later: a name that an administrator's connection had is free again. */
const REFUSED_AGAIN = seconds(30);

/**
 * Charon takes seconds to list 1,000 connections of 200 networks each, and milliseconds for their names. These come in one
 * packet, in which there has to be room for others'.
 */
const NAMES_BYTES_MAX = VICI_PACKET_BYTES_MAX / 2;
/** Before each name: its type and length. */
const LIST_ITEM_BYTES = 3;

type Digest = number | bigint;

/** Why a connection is not loaded. */
export type LoadFailures = ReadonlyMap<string, string>;

/**
 * What charon is to know: credentials first, then connections, and last what is not needed any more goes. Only what differs
 * is loaded; a new session loads everything, which changes nothing in a charon that has it.
 */
export class ConnectionLoader {
  readonly #clock: Clock;
  readonly #credentials = new CredentialKeeper();
  /** By name, what this session told charon. */
  readonly #loaded = new Map<string, Digest>();
  readonly #refused = new Map<
    string,
    { readonly digest: Digest; readonly until: MonotonicTime; readonly why: string }
  >();
  #isDue = true;
  #credentialsDue = true;
  #auditAt: MonotonicTime;
  #isNewSession = true;
  /** Names that are somebody else's. */
  #foreign: ReadonlySet<string> = new Set();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#auditAt = clock.now();
  }

  isLoaded(name: string): boolean {
    return this.#loaded.has(name);
  }

  /** A new session: charon may have forgotten everything. */
  reset(): void {
    this.#isDue = true;
    this.#isNewSession = true;
    this.#loaded.clear();
    this.#refused.clear();
    this.#auditAt = this.#clock.now();
  }

  /** Something else is wanted: a name of it may be somebody else's by now. */
  changed(): void {
    this.#isDue = true;
    this.#auditAt = this.#clock.now();
    this.#credentialsDue = true;
  }

  /** Whether sync has something to do. */
  get isDue(): boolean {
    const now = this.#clock.now();
    return this.#isDue || this.#auditAt <= now || [...this.#refused.values()].some(({ until }) => until <= now);
  }

  /**
   * @param connections as they are to be loaded, with addresses in place of host names
   * @returns why some are not, and the names of those that were unloaded
   * @throws SelvedgeError what the session throws: it is over then
   */
  async sync(
    commands: CharonCommands,
    wanted: WantedTunnels,
    connections: readonly TunnelConnection[],
  ): Promise<{
    readonly failures: LoadFailures;
    readonly credentialFailure: string | undefined;
    readonly unloaded: readonly string[];
  }> {
    const unloaded: string[] = [];
    this.#isDue = false;
    if (this.#auditAt <= this.#clock.now()) unloaded.push(...(await this.#audit(commands, wanted)));
    const credentialFailure = await this.#loadCredentials(commands, wanted.credentials);
    const failures = new Map<string, string>();
    for (const connection of connections) {
      const why = await this.#load(commands, connection, wanted.credentials);
      if (why !== undefined) failures.set(connection.name, why);
    }
    const names = new Set(connections.map(({ name }) => name));
    for (const name of this.#loaded.keys()) {
      if (names.has(name)) continue;
      await this.#unload(commands, name);
      unloaded.push(name);
    }
    // Who has none does not know which of charon's are of no use any more.
    const { privateKeys } = wanted.credentials;
    if (this.#credentialsDue && credentialFailure === undefined && privateKeys.length > 0) {
      // What cannot be dropped is gone already.
      await refusal(() => this.#credentials.dropOthers(commands, wanted.credentials));
      this.#credentialsDue = false;
    }
    return { failures, credentialFailure, unloaded };
  }

  /** Compares with what charon has. @returns names of ours that nobody wants, unloaded now */
  async #audit(commands: CharonCommands, wanted: WantedTunnels): Promise<readonly string[]> {
    const there = (await this.#hasKnownNames(commands)) ? undefined : await commands.connections();
    this.#auditAt = (this.#clock.now() + AUDIT_EVERY) as MonotonicTime;
    if (there === undefined) return [];
    this.#forgetLost(there.map(({ name }) => name));
    const isOurs = (connection: LoadedConnection) => isFabricConnection(connection, connection.localId);
    this.#foreign = new Set(there.filter((one) => !isOurs(one)).map(({ name }) => name));
    const needed = new Set(wanted.connections.map(({ name }) => name));
    const stale = there.filter((one) => isFabricConnection(one, wanted.localId) && !needed.has(one.name));
    for (const { name } of stale) await this.#unload(commands, name);
    return stale.map(({ name }) => name);
  }

  /** Whether charon has nothing that this session has not loaded or seen: its names say so, whatever is in them. */
  async #hasKnownNames(commands: CharonCommands): Promise<boolean> {
    const known = new Set([...this.#loaded.keys(), ...this.#foreign]);
    const bytes = [...known].reduce((sum, name) => sum + name.length, LIST_ITEM_BYTES * known.size);
    if (this.#loaded.size === 0 || bytes > NAMES_BYTES_MAX) return false;
    const names = await commands.connectionNames();
    this.#forgetLost(names);
    return names.every((name) => known.has(name));
  }

  /** What somebody has taken away is loaded again. */
  #forgetLost(names: readonly string[]): void {
    const there = new Set(names);
    for (const name of this.#loaded.keys()) if (!there.has(name)) this.#loaded.delete(name);
    this.#foreign = new Set([...this.#foreign].filter((name) => there.has(name)));
  }

  async #loadCredentials(commands: CharonCommands, credentials: CharonCredentials): Promise<string | undefined> {
    if (this.#isNewSession) {
      await this.#credentials.start(commands);
      this.#isNewSession = false;
      this.#credentialsDue = true;
    }
    if (!this.#credentialsDue) return undefined;
    return await refusal(() => this.#credentials.load(commands, credentials));
  }

  async #load(
    commands: CharonCommands,
    connection: TunnelConnection,
    { certificates }: CharonCredentials,
  ): Promise<string | undefined> {
    const { name } = connection;
    const own = certificates.slice(0, 1);
    if (own.length === 0) return "this node has no certificate yet";
    const digest = Bun.hash(JSON.stringify(connectionFields(connection, own)));
    if (this.#loaded.get(name) === digest) return undefined;
    if (this.#foreign.has(name) && !this.#loaded.has(name))
      return "charon has a connection of that name that is not ours";
    const refused = this.#refused.get(name);
    if (refused !== undefined && refused.digest === digest && refused.until > this.#clock.now()) return refused.why;
    const why = await refusal(() => commands.loadConnection(connection, own));
    if (why === undefined) {
      this.#refused.delete(name);
      this.#loaded.set(name, digest);
    } else this.#refused.set(name, { digest, until: (this.#clock.now() + REFUSED_AGAIN) as MonotonicTime, why });
    return why;
  }

  async #unload(commands: CharonCommands, name: string): Promise<void> {
    this.#loaded.delete(name);
    this.#refused.delete(name);
    // Somebody else may have been quicker.
    await refusal(() => commands.unloadConnection(name));
  }
}

/** @returns charon's words where it refuses; what ends the session is thrown */
async function refusal(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    if (code !== "CHARON_REFUSED" && code !== "CHARON_LIMIT") throw error;
    return errorText(error);
  }
}
