import { CONFIG_MAPS } from "../../src/kube/resource.ts";
import type { StateFolder } from "../hub/state-folder.ts";
import { stateError } from "../hub/state-folder.ts";
import type { SecretTexts } from "../operator/certificates.ts";
import type { DocumentKey } from "../operator/document.ts";
import type { PlannedManifest } from "../operator/manifest-plan.ts";
import type { LeafPlace, LeafTexts } from "../operator/secret-manifest.ts";

const AUTHORITY = "authority.json";
const SUBNETS = "subnets.json";
const DOCUMENT = "ConfigMap.";
const LEAF = "Secret.";

/** A certificate, and where it belongs, for as long as the plan does not say. */
export interface KeptLeaf extends LeafTexts {
  readonly place: LeafPlace;
}

/** What a cluster would keep for the operator, as files of JSON. */
export class FolderState {
  readonly #folder: StateFolder;
  readonly #texts = new Map<string, string>();
  #subnets: ReadonlyMap<string, string>;

  constructor(folder: StateFolder) {
    this.#folder = folder;
    this.#subnets = new Map(Object.entries(this.#read<Record<string, string>>(SUBNETS) ?? {}));
  }

  readAuthority(): SecretTexts | undefined {
    return this.#read<SecretTexts>(AUTHORITY);
  }

  writeAuthority(texts: SecretTexts): void {
    this.#write(AUTHORITY, texts);
  }

  /** `fabedge.io/subnets` by node: a manifest's annotation goes before it. */
  get subnets(): ReadonlyMap<string, string> {
    return this.#subnets;
  }

  writeSubnets(subnets: ReadonlyMap<string, string>): void {
    this.#write(SUBNETS, Object.fromEntries(subnets));
    this.#subnets = subnets;
  }

  readLeaf(secret: string): KeptLeaf | undefined {
    return this.#read<KeptLeaf>(`${LEAF}${secret}.json`);
  }

  writeLeaf({ namespace, name, labels, owner }: LeafPlace, { texts, keyIsOnNode }: LeafTexts): void {
    this.#write(`${LEAF}${name}.json`, { place: { namespace, name, labels, owner }, texts, keyIsOnNode });
  }

  /** Keys of what was planned in an earlier run. */
  documentKeys(namespace: string): readonly DocumentKey[] {
    return [DOCUMENT, LEAF].flatMap((prefix) =>
      this.#folder
        .names(prefix)
        .map((file) => `${prefix.slice(0, -1)}/${namespace}/${file.slice(prefix.length, -".json".length)}`),
    );
  }

  readDocument(key: DocumentKey): PlannedManifest | undefined {
    const manifest = this.#read<PlannedManifest["manifest"]>(fileOf(key));
    return manifest === undefined ? undefined : { resource: CONFIG_MAPS, manifest };
  }

  writeDocument(key: DocumentKey, { manifest }: PlannedManifest): void {
    this.#write(fileOf(key), manifest);
  }

  removeDocument(key: DocumentKey): void {
    const file = fileOf(key);
    this.#texts.delete(file);
    this.#folder.remove(file);
  }

  #read<T>(file: string): T | undefined {
    const text = this.#texts.get(file) ?? this.#folder.read(file);
    if (text === undefined) return undefined;
    this.#texts.set(file, text);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw stateError(`Cannot read ${this.#folder.path}/${file} as it is not JSON`, cause);
    }
  }

  /** Only what is another text: a card is worn by writing. */
  #write(file: string, value: object): void {
    const text = `${JSON.stringify(value)}\n`;
    if ((this.#texts.get(file) ?? this.#folder.read(file)) === text) return;
    this.#folder.write(file, text);
    this.#texts.set(file, text);
  }
}

/** "ConfigMap/fabedge/x" is kept in "ConfigMap.x.json": all are of one namespace. */
function fileOf(key: DocumentKey): string {
  const [kind, , name] = key.split("/");
  return `${kind}.${name}.json`;
}
