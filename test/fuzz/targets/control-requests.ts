import { answerQuestion } from "../../../edge/status/request-answer.ts";
import { agentHandlers } from "../../support/agent-handlers.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const handlers = agentHandlers();

/** A request's method and address on both doors: loopback's opens nothing that is the control socket's. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    "GET ",
    "HEAD ",
    "POST ",
    "/v1/status",
    "/v1/services",
    "/v1/resolve",
    "/readyz",
    "?",
    "&",
    "=",
    "%00",
    "verbose",
    "exclude",
  ],
  run: async (input) => {
    const [method = "", address = ""] = textOf(input).split(" ", 2);
    if (!URL.canParse(address, "http://selvedge")) return "no address";
    const url = new URL(address, "http://selvedge");
    const question = { method, path: url.pathname, query: url.searchParams };
    const control = await answerQuestion(question, "control", handlers);
    const open = await answerQuestion(question, "http", handlers);
    for (const answer of [control, open]) hold([200, 400, 404, 405, 500, 503].includes(answer.status), "a status");
    hold(!question.path.startsWith("/v1/") || open.status !== 200, `${question.path} on loopback`);
    return `${control.status} ${open.status}`;
  },
};
