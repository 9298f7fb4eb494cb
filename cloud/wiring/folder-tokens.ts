import { StateFolder } from "../hub/state-folder.ts";
import type { TokenStore } from "../join/join-desk.ts";
import type { TokenRecord } from "../join/join-token.ts";
import { readTokenTexts, type TokenTexts, tokenTexts } from "../join/token-texts.ts";
import { agentTlsName } from "../operator/object-names.ts";
import { FolderState } from "./folder-state.ts";
import type { TokenOffice } from "./token-office.ts";

const PREFIX = "token.";

/** Tokens as files of a hub's state folder, one for each node. */
export class FolderTokens implements TokenStore, TokenOffice {
  readonly #folder: StateFolder;

  constructor(path: string) {
    this.#folder = new StateFolder(path);
  }

  async find(node: string) {
    const text = this.#folder.read(fileOf(node));
    const record = text === undefined ? undefined : readRecord(node, text);
    return text === undefined || record === undefined ? undefined : { record, version: text };
  }

  /** One hub has the folder: nobody else binds a token between the two steps. */
  async bind(node: string, version: string, key: string): Promise<boolean> {
    const record = this.#folder.read(fileOf(node)) === version ? readRecord(node, version) : undefined;
    if (record !== undefined) await this.keep({ ...record, key });
    return record !== undefined;
  }

  async keep(record: TokenRecord): Promise<void> {
    this.#folder.write(fileOf(record.node), `${JSON.stringify(tokenTexts(record))}\n`);
  }

  async list(): Promise<readonly TokenRecord[]> {
    const files = this.#folder.names(PREFIX).toSorted();
    return files.flatMap((file) => {
      const node = file.slice(PREFIX.length, -".json".length);
      return readRecord(node, this.#folder.read(file) ?? "") ?? [];
    });
  }

  async delete(node: string): Promise<boolean> {
    return this.#folder.remove(fileOf(node));
  }

  async authority(): Promise<string | undefined> {
    return new FolderState(this.#folder).readAuthority()?.["ca.crt"];
  }

  async server(): Promise<undefined> {
    return undefined;
  }

  async expects(node: string): Promise<boolean> {
    return new FolderState(this.#folder).readLeaf(agentTlsName(node)) !== undefined;
  }
}

function fileOf(node: string): string {
  return `${PREFIX}${node}.json`;
}

function readRecord(node: string, text: string): TokenRecord | undefined {
  try {
    const { hash, expires, key } = JSON.parse(text) as Partial<TokenTexts>;
    const bound = key === undefined ? {} : { key: String(key) };
    return readTokenTexts(node, { hash: String(hash), expires: String(expires), ...bound });
  } catch {
    return undefined;
  }
}
