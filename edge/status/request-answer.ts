import { errorCode, errorText, SelvedgeError } from "../../src/base/errors.ts";
import { agentDocument } from "../../src/network/agent-report.ts";
import { peerOf, type TunnelReport } from "../../src/network/tunnel-report.ts";
import type { ControlHandlers } from "./control.ts";
import { answerProbe, checkReadiness, type ReadinessCheck } from "./readiness.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** What is asked for, taken out of an HTTP request. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** control: the unix socket, root's; http: loopback, anybody's on this node, so nothing there asks the network. */
export type Surface = "control" | "http";

const TEXT = "text/plain; charset=utf-8";

export async function answerQuestion(question: Question, surface: Surface, handlers: ControlHandlers): Promise<Answer> {
  if (question.method !== "GET" && question.method !== "HEAD") {
    return { status: 405, type: TEXT, body: "only GET is answered here\n" };
  }
  try {
    const control = surface === "control" ? await answerControl(question, handlers) : undefined;
    return (
      control ?? (await answerOpen(question, handlers)) ?? { status: 404, type: TEXT, body: "there is no such page\n" }
    );
  } catch (error) {
    return answerError(error);
  }
}

async function answerControl({ path, query }: Question, handlers: ControlHandlers): Promise<Answer | undefined> {
  switch (path) {
    case "/v1/status":
      return json(agentDocument("Status", await handlers.status()));
    case "/v1/services": {
      const filter = { namespace: query.get("namespace") ?? undefined, name: query.get("name") ?? undefined };
      return json(agentDocument("ServiceList", { items: handlers.services(filter) }));
    }
    case "/v1/tunnels":
      return json(agentDocument("TunnelList", { items: await tunnelsOf(query, handlers) }));
    case "/v1/peers":
      return json(agentDocument("PeerList", { items: (await tunnelsOf(query, handlers)).map(peerOf) }));
    case "/v1/resolve": {
      const resolution = await handlers.resolve(query.get("name") ?? "", query.get("type") ?? "A");
      return json(agentDocument("Resolution", resolution));
    }
    default:
      return undefined;
  }
}

async function tunnelsOf(query: URLSearchParams, handlers: ControlHandlers): Promise<readonly TunnelReport[]> {
  const name = query.get("name");
  const tunnels = await handlers.tunnels();
  return name === null ? tunnels : tunnels.filter(({ peer }) => peer === name);
}

async function answerOpen({ path, query }: Question, handlers: ControlHandlers): Promise<Answer | undefined> {
  switch (path) {
    case "/livez":
      return probe("livez", [{ name: "event-loop", ok: handlers.alive(), reason: "it stood still" }], query);
    case "/readyz":
    case "/healthz":
      return probe(path.slice(1), checkReadiness(handlers.components(), handlers.conditions()), query);
    case "/metrics":
      return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: await handlers.metrics() };
    case "/version":
      return json({ version: handlers.version() });
    case "/statusz":
      return { status: 200, type: TEXT, body: await handlers.statusText() };
    default:
      return undefined;
  }
}

function probe(name: string, checks: readonly ReadinessCheck[], query: URLSearchParams): Answer {
  const exclude = new Set(query.getAll("exclude").filter((excluded) => excluded !== ""));
  return { ...answerProbe(name, checks, { verbose: query.has("verbose"), exclude }), type: TEXT };
}

function answerError(error: unknown): Answer {
  const ours = error instanceof SelvedgeError ? error : undefined;
  const body = agentDocument("Error", {
    code: errorCode(error),
    message: errorText(error),
    hint: ours?.hint ?? null,
  });
  return { ...json(body), status: ours?.blame === "user" ? 400 : ours === undefined ? 500 : 503 };
}

function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: `${JSON.stringify(value)}\n` };
}
