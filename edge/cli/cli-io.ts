import type { AgentDocument, AgentDocuments } from "../../src/network/agent-report.ts";
import type { Config, HostFacts } from "../config/options.ts";
import type { LoadedConfig } from "../config.ts";
import type { HostState } from "./host-check.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything outside that commands touch. */
export interface CliIo {
  readonly host: HostFacts;
  /** Whether people look at each stream. */
  readonly terminal: { readonly out: boolean; readonly err: boolean };
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
  /** Undefined when there is none. @throws SelvedgeError CONFIG_UNREADABLE, EACCES */
  readFile(path: string): Promise<string | undefined>;
  /** @throws SelvedgeError AGENT_UNREACHABLE, AGENT_SILENT, AGENT_FORBIDDEN, AGENT_STRANGE, or the agent's own */
  ask<K extends keyof AgentDocuments>(socketPath: string, target: string, kind: K): Promise<AgentDocument<K>>;
  observeHost(config: Config): Promise<HostState>;
}

/** One thing on this host that is the agent's. */
export interface Leftover {
  /** "nftables table inet selvedge". */
  readonly what: string;
  /** Undefined for what is still needed. */
  readonly remove: (() => Promise<void>) | undefined;
  /** Who needs it, a clause. */
  readonly neededBy?: string;
}

/** What `selvedge join` was told. */
export interface JoinWords {
  readonly url: string;
  readonly token: string;
  /** SHA-256 in lower-case hexadecimal. */
  readonly authorityHash: string;
  readonly folder: string;
}

/** What commands start, which wiring knows. */
export interface CliCommands {
  readonly version: string;
  /** "bun 1.4.5 linux arm64". */
  readonly platform: string;
  /** Runs until it is told to stop. @returns the exit status */
  startAgent(loaded: LoadedConfig): Promise<number>;
  findLeftovers(config: Config): Promise<readonly Leftover[]>;
  /** @returns a line for each thing that was done or, in a dry run, would be. */
  install(dryRun: boolean): Promise<readonly string[]>;
  /** @returns a sentence. @throws SelvedgeError CHARON_ELSEWHERE, IKE_PORT_TAKEN, and what the kernel says */
  configureCharon(config: Config): Promise<string>;
  /** One command of a container runtime. @returns the exit status, and what goes to standard output */
  cni(env: Environment): Promise<{ readonly exitCode: number; readonly text: string }>;
  /** @returns the name that the operator knows this node by. @throws SelvedgeError JOIN_…, KEY_… */
  join(request: JoinWords): Promise<string>;
}
