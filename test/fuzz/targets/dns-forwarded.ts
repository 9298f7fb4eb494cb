import { MOST_TTL } from "../../../edge/dns/answer-cache.ts";
import { matchResponse, readForwardedAnswer } from "../../../edge/dns/forwarded-answer.ts";
import { MAX_MESSAGE_BYTES } from "../../../src/wire/dns.ts";
import { decodeMessage, type Question } from "../../../src/wire/dns-message.ts";
import { lowerName } from "../../../src/wire/dns-name.ts";
import { hold } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What an upstream server sends, first to the question that it claims to answer, then to another. */
export const target: FuzzTarget = {
  mostBytes: 1232,
  form: "big-endian",
  run: (input) => {
    const decoded = decodeMessage(input);
    const [asked] = decoded.ok ? decoded.value.questions : [];
    const id = ((input[0] ?? 0) << 8) | (input[1] ?? 0);
    if (asked === undefined) return "no message with a question";
    const question: Question = { ...asked, name: lowerName(asked.name) };
    hold(matchResponse(input, id ^ 1, question) === undefined, "an answer with another id");
    hold(matchResponse(input, id, { ...question, type: asked.type ^ 1 }) === undefined, "an answer of another type");
    const message = matchResponse(input, id, question);
    if (message === undefined) return "no response";
    const forwarded = readForwardedAnswer(message, question);
    if (forwarded === undefined) return "a failure";
    const { answer, lifetime } = forwarded;
    hold(answer.body.length <= MAX_MESSAGE_BYTES, "an answer beyond a message's size");
    hold(answer.answers === message.answers.length, "answers that are left out");
    if (lifetime === undefined) return "not to be kept";
    hold(Number.isFinite(lifetime.ttlSeconds) && lifetime.ttlSeconds >= 0, `a lifetime of ${lifetime.ttlSeconds} s`);
    hold(MOST_TTL > 0, "no longest lifetime");
    return lifetime.negative ? "negative" : "positive";
  },
};
