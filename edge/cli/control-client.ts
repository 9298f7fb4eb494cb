import { errorCode, SelvedgeError } from "../../src/base/errors.ts";
import {
  type AgentDocument,
  type AgentDocuments,
  API_VERSION,
  type ErrorReport,
} from "../../src/network/agent-report.ts";

/** Longer than any resolution through dead upstreams, shorter than a person's patience. */
const PATIENCE_MS = 15_000;

/** What an agent with the largest cluster that its own bounds allow would say. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * One question over the agent's unix socket.
 *
 * @param target path and query: "/v1/services?name=web"
 */
export async function askAgent<K extends keyof AgentDocuments>(
  socketPath: string,
  target: string,
  kind: K,
): Promise<AgentDocument<K>> {
  let text: string;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch(`http://selvedge${target}`, { unix: socketPath, signal });
    text = await readBounded(response);
  } catch (error) {
    throw connectionError(socketPath, error);
  }
  const document = parseDocument(text);
  if (document?.apiVersion !== API_VERSION) throw strange(`current value is ${document?.apiVersion}`);
  if (document.kind === kind) return document as AgentDocument<K>;
  const { code, message, hint } = document as AgentDocument<"Error">;
  throw new SelvedgeError(message, { code, blame: "us", retry: "never", ...(hint === null ? {} : { hint }) });
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw strange(`it is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseDocument(text: string): (Partial<ErrorReport> & { apiVersion?: unknown; kind?: unknown }) | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function strange(why: string): SelvedgeError {
  return new SelvedgeError(`Cannot read the agent's answer as ${API_VERSION}: ${why}`, {
    code: "AGENT_STRANGE",
    blame: "user",
    retry: "never",
    hint: "Use the command of the same version as the agent, or restart the agent after an upgrade.",
  });
}

function connectionError(socketPath: string, cause: unknown): SelvedgeError {
  if (cause instanceof SelvedgeError) return cause;
  const code = errorCode(cause);
  if (code === "EACCES" || code === "EPERM") {
    return new SelvedgeError(`Cannot ask the agent as this user: ${socketPath} is for root`, {
      code: "AGENT_FORBIDDEN",
      blame: "user",
      retry: "never",
      hint: 'Run the command as root ("sudo selvedge ...").',
      cause,
    });
  }
  if (cause instanceof Error && cause.name === "TimeoutError") {
    return new SelvedgeError(`Cannot get an answer from the agent on ${socketPath}: it was waited for 15 s`, {
      code: "AGENT_SILENT",
      blame: "us",
      retry: "later",
      hint: "Look at its log (journalctl -u selvedge); the service manager restarts an agent that stands still.",
      cause,
    });
  }
  return new SelvedgeError(`Cannot reach the agent: nobody answers on ${socketPath}`, {
    code: "AGENT_UNREACHABLE",
    blame: "host",
    retry: "later",
    hint: "Start it (systemctl start selvedge), or name its --run-dir. What it put into the kernel works on meanwhile.",
    cause,
  });
}
