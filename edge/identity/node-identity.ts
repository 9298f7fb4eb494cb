import type { Clock, Timer } from "../../src/base/clock.ts";
import { minutes } from "../../src/base/duration.ts";
import { errorText } from "../../src/base/errors.ts";
import type { Health } from "../../src/base/health.ts";
import type { DecodeError, Result } from "../../src/base/result.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { ReadCredentials } from "../../src/certificate/fabric-credentials.ts";
import type {
  CertificateTexts,
  FabricCredentials,
  FabricIdentity,
  OnFabricIdentity,
} from "../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { IDENTITY_CODES, type IdentityFinding } from "./finding.ts";
import type { FoundFiles } from "./identity-files.ts";
import { planIdentity } from "./plan.ts";

/** How often times are looked at: an end that is a minute away needs no more. */
const JUDGE_EVERY = minutes(1);
const NO_FILES: FoundFiles = { config: undefined, offers: [], nodeKey: undefined };

/** Where this node's own documents are, as keys of the cache: "fabedge/fabedge-agent-config-e1". */
export interface DocumentKeys {
  readonly configMap: string;
  readonly secret: string;
}

/** Files that this node's identity comes from, besides or instead of its documents. */
export interface IdentityFiles {
  /** Where tunnels.yaml is mounted; undefined: it comes as a document. */
  readonly configPath: string | undefined;
  /** @throws Error with the system's code */
  readonly read: () => FoundFiles;
  /** Calls back when they may have changed. */
  readonly watch: (onChange: () => void, scope: Scope) => void;
}

export interface NodeIdentityOptions {
  /** undefined: everything comes as files. */
  readonly documents: DocumentKeys | undefined;
  readonly files: IdentityFiles;
  readonly parseConfig: (text: string) => Result<NodeConfig, DecodeError>;
  readonly health: Health;
  readonly clock: Clock;
}

/**
 * What this node knows of itself in the fabric, put together from what the cloud and files say. The last that was good
 * is kept whatever comes after it, and what is wrong is told.
 */
export class NodeIdentity {
  readonly #options: NodeIdentityOptions;
  #onChange: OnFabricIdentity = () => undefined;
  #config: NodeConfig | undefined;
  #secret: CertificateTexts | undefined;
  #files = NO_FILES;
  #inUse: ReadCredentials | undefined;
  #current: FabricIdentity | undefined;
  /** About getting it, not about what was got. */
  #configTrouble: IdentityFinding | undefined;
  #filesTrouble: IdentityFinding | undefined;
  #timer: Timer | undefined;
  #started = false;

  constructor(options: NodeIdentityOptions) {
    this.#options = options;
  }

  get current(): FabricIdentity | undefined {
    return this.#current;
  }

  /** Of the credentials in use. */
  get certificate(): ReadCredentials["own"] | undefined {
    return this.#inUse?.own;
  }

  /** Reads the files, and tells of what is known, and from then on of changes. What was loaded before counts. */
  start(onChange: OnFabricIdentity, scope: Scope): void {
    this.#onChange = onChange;
    this.#started = true;
    const look = () => {
      this.#readFiles();
      this.#settle();
    };
    look();
    this.#options.files.watch(look, scope);
    this.#judgeTimes();
    scope.onClose("identity", () => this.#timer?.cancel());
  }

  /** What the cache says, other kinds and other nodes' objects among it. */
  take(changes: readonly ObjectChange[]): void {
    const { documents } = this.#options;
    if (documents === undefined) return;
    let taken = false;
    for (const change of changes) {
      if (change.kind === "ConfigMap" && change.key === documents.configMap) {
        this.#takeConfig(change.value?.config, documents.configMap);
        taken = true;
      } else if (change.kind === "Secret" && change.key === documents.secret) {
        this.#secret = change.value;
        taken = true;
      }
    }
    if (taken && this.#started) this.#settle();
  }

  #judgeTimes(): void {
    this.#timer = this.#options.clock.after(JUDGE_EVERY, () => {
      this.#settle();
      this.#judgeTimes();
    });
  }

  #takeConfig(config: NodeConfig | undefined, key: string): void {
    this.#config = config ?? this.#config;
    this.#configTrouble =
      config !== undefined || this.#config === undefined
        ? undefined
        : {
            code: "NODE_CONFIG_GONE",
            severity: "degraded",
            message: `Cannot find this node in the fabric any more as ConfigMap ${key} is gone: tunnels go on as it said last`,
            hint: "If the node has left for good, run selvedge cleanup; else see the operator's conditions of the node.",
          };
  }

  #readFiles(): void {
    const { files, parseConfig } = this.#options;
    try {
      this.#files = files.read();
      this.#filesTrouble = undefined;
    } catch (error) {
      this.#filesTrouble = unreadable("the files of this node's identity", errorText(error));
      return;
    }
    if (files.configPath === undefined) return;
    const text = this.#files.config;
    const config: Result<NodeConfig, DecodeError> =
      text === undefined ? { ok: false, error: { at: "", why: "there is no such file" } } : parseConfig(text);
    if (config.ok) this.#config = config.value;
    this.#configTrouble = config.ok
      ? undefined
      : unreadable(files.configPath, [config.error.at, config.error.why].filter((part) => part !== "").join(": "));
  }

  #settle(): void {
    const { documents, clock, health } = this.#options;
    const { offers, nodeKey } = this.#files;
    const delivered =
      this.#secret === undefined ? [] : [{ from: `Secret ${documents?.secret ?? ""}`, texts: this.#secret }];
    const plan = planIdentity({
      config: this.#config,
      offers: [...delivered, ...offers],
      nodeKey,
      inUse: this.#inUse,
      wall: clock.wall(),
    });
    this.#inUse = plan.inUse;
    const findings = [this.#filesTrouble, this.#configTrouble, ...plan.findings];
    for (const code of IDENTITY_CODES) {
      const finding = findings.find((found) => found?.code === code);
      if (finding === undefined) health.clear("identity", code);
      else health.raise({ ...finding, component: "identity" });
    }
    const before = this.#current;
    const after = plan.identity;
    if (after === undefined || (before !== undefined && isSame(before, after))) return;
    this.#current = after;
    this.#onChange(after);
  }
}

function unreadable(what: string, why: string): IdentityFinding {
  return {
    code: "NODE_CONFIG_UNREADABLE",
    severity: "degraded",
    message: `Cannot read ${what}: ${why}; what was read last counts`,
    hint: "See that the file is mounted, whole and readable for the agent; it is read again when it changes.",
  };
}

function isSame(before: FabricIdentity, after: FabricIdentity): boolean {
  return isSameConfig(before.config, after.config) && isSameCredentials(before.credentials, after.credentials);
}

function isSameConfig(before: NodeConfig, after: NodeConfig): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}

function isSameCredentials(before: FabricCredentials | undefined, after: FabricCredentials | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  const texts = ({ certificates, authorities }: FabricCredentials) => JSON.stringify([certificates, authorities]);
  return texts(before) === texts(after) && before.key.equals(after.key);
}
