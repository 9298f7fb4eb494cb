import type { CliCommands, CliIo } from "../../edge/cli/cli-io.ts";
import type { HostState } from "../../edge/cli/host-check.ts";
import { runCli } from "../../edge/cli/run-cli.ts";
import { answerQuestion } from "../../edge/status/request-answer.ts";
import { SelvedgeError } from "../../src/base/errors.ts";
import type { AgentDocument, AgentDocuments } from "../../src/network/agent-report.ts";
import { agentHandlers } from "./agent-handlers.ts";

export const GOOD_HOST: HostState = {
  kernel: "6.1.0",
  capabilities: 0x1ffffffffffn,
  nftables: undefined,
  conntrack: undefined,
  dnsPort: [],
  disk: { path: "/var/lib", freeBytes: 1024 ** 3, refusal: undefined },
  source: { url: "http://127.0.0.1:10550", refusal: undefined },
  tunnels: {
    wanted: true,
    installed: true,
    charon: { version: "5.9.8", refusal: undefined },
    portTaken: undefined,
    kernelEsp: true,
    userspaceEsp: false,
  },
};

export const UNREACHABLE = new SelvedgeError("Cannot reach the agent", {
  code: "AGENT_UNREACHABLE",
  blame: "host",
  retry: "later",
  hint: "Start it.",
});

export interface CliWorld {
  readonly io?: Partial<CliIo>;
  readonly commands?: Partial<CliCommands>;
  readonly env?: Readonly<Record<string, string>>;
  readonly handlers?: Parameters<typeof agentHandlers>[0];
}

/** Runs a command line against an agent that answers from constants, and keeps what it said. */
export async function cli(argv: readonly string[], world: CliWorld = {}) {
  let out = "";
  let err = "";
  const asked: string[] = [];
  const io: CliIo = {
    host: { hostname: "edge-1" },
    terminal: { out: false, err: false },
    out: async (text) => {
      out += text;
    },
    err: async (text) => {
      err += text;
    },
    readFile: async () => undefined,
    ask: async <K extends keyof AgentDocuments>(socketPath: string, target: string) => {
      asked.push(`${socketPath} ${target}`);
      const url = new URL(target, "http://agent");
      const question = { method: "GET", path: url.pathname, query: url.searchParams };
      return JSON.parse(
        (await answerQuestion(question, "control", agentHandlers(world.handlers))).body,
      ) as AgentDocument<K>;
    },
    observeHost: async () => GOOD_HOST,
    ...world.io,
  };
  const commands: CliCommands = {
    version: "0.1.0",
    platform: "bun 1.4.5 linux arm64",
    startAgent: async () => 0,
    configureCharon: async () => "ESP is the kernel's.",
    findLeftovers: async () => [],
    install: async () => [],
    cni: async () => ({ exitCode: 0, text: "{}" }),
    join: async () => "edge-1",
    ...world.commands,
  };
  const exit = await runCli(argv, world.env ?? {}, io, commands);
  return { exit, out, err, asked };
}
