import type { Clock } from "../../src/base/clock.ts";
import { errorCode } from "../../src/base/errors.ts";
import { type DecodeError, fail, ok, type Result } from "../../src/base/result.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { getObject } from "../../src/kube/get.ts";
import { listObjects } from "../../src/kube/list.ts";
import type { ObjectDecoder } from "../../src/kube/object-reader.ts";
import { parseSecret } from "../../src/kube/objects/secret.ts";
import { SECRETS } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import type { TokenStore } from "./join-desk.ts";
import type { TokenRecord } from "./join-token.ts";
import { readTokenTexts, type TokenTexts, tokenTexts } from "./token-texts.ts";

const TYPE = "selvedge.io/join-token";
const PREFIX = "selvedge-join-";

const TOKEN_DECODER: ObjectDecoder<TokenRecord> = { resource: SECRETS, decode: readTokenSecret };

/** Tokens as Secrets of the operator's namespace, one for each node. What is in one does not let anybody in. */
export class TokenSecrets implements TokenStore {
  readonly #client: KubeClient;
  readonly #writer: KubeWriter;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  constructor(client: KubeClient, writer: KubeWriter, namespace: string, clock: Clock, signal: AbortSignal) {
    this.#client = client;
    this.#writer = writer;
    this.#namespace = namespace;
    this.#clock = clock;
    this.#signal = signal;
  }

  async find(node: string) {
    const found = await getObject(this.#client, TOKEN_DECODER, this.#nameOf(node), this.#signal);
    return found === undefined ? undefined : { record: found.value, version: found.resourceVersion };
  }

  /** The API server lets one of two have it. */
  async bind(node: string, version: string, key: string): Promise<boolean> {
    const patch = { metadata: { resourceVersion: version }, data: { key: btoa(key) } };
    try {
      await this.#writer.merge(SECRETS, this.#nameOf(node), patch, this.#signal);
      return true;
    } catch (error) {
      if (["KUBE_CONFLICT", "KUBE_NOT_FOUND"].includes(errorCode(error))) return false;
      throw error;
    }
  }

  /** A node has one token: another one takes its place, whomever that one let in. */
  async keep(record: TokenRecord): Promise<void> {
    await this.delete(record.node);
    const data = Object.entries(tokenTexts(record)).map(([key, text]) => [key, btoa(text)] as const);
    const manifest = { metadata: this.#nameOf(record.node), type: TYPE, data: Object.fromEntries(data) };
    await this.#writer.apply(SECRETS, manifest, this.#signal, { force: true });
  }

  /** By name. */
  async list(): Promise<readonly TokenRecord[]> {
    const query = { namespace: this.#namespace, fieldSelector: `type=${TYPE}`, source: "api-server" as const };
    const { items } = await listObjects(
      { ...query, client: this.#client, decoder: TOKEN_DECODER, clock: this.#clock },
      this.#signal,
    );
    const records = items.flatMap(({ value }) => value ?? []);
    return records.sort((a, b) => (a.node < b.node ? -1 : 1));
  }

  /** @returns false: there was none */
  delete(node: string): Promise<boolean> {
    return this.#writer.delete(SECRETS, this.#nameOf(node), {}, this.#signal);
  }

  #nameOf(node: string) {
    return { namespace: this.#namespace, name: `${PREFIX}${node}` };
  }
}

function readTokenSecret(json: unknown): Result<TokenRecord | undefined, DecodeError> {
  const secret = parseSecret(json);
  if (!secret.ok) return secret;
  const { type, name, data } = secret.value;
  if (type !== TYPE || !name.startsWith(PREFIX)) return ok(undefined);
  const text = (key: keyof TokenTexts) => new TextDecoder().decode(data.get(key));
  const key = data.has("key") ? { key: text("key") } : {};
  const texts = { hash: text("hash"), expires: text("expires"), ...key };
  const record = readTokenTexts(name.slice(PREFIX.length), texts);
  return record === undefined ? fail({ at: "data", why: "it has no hash or no time at which it ends" }) : ok(record);
}
