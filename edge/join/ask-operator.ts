import { errorText, SelvedgeError } from "../../src/base/errors.ts";
import type { Ask } from "./join.ts";

/** A bundle of sixteen authorities and a certificate, in JSON. */
const ANSWER_BYTES_MAX = 512 * 1024;
const ANSWER_WITHIN_MS = 30_000;

/** @throws SelvedgeError JOIN_UNREACHABLE */
export const askOperator: Ask = async (url, authorities, post) => {
  const tls = authorities === undefined ? { rejectUnauthorized: false } : { ca: authorities };
  const headers: Record<string, string> = post === undefined ? {} : { authorization: `Bearer ${post.token}` };
  try {
    const response = await fetch(url, {
      method: post === undefined ? "GET" : "POST",
      ...(post === undefined ? {} : { body: post.body }),
      headers,
      tls,
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return { status: response.status, body: await readText(response) };
  } catch (error) {
    throw new SelvedgeError(`Cannot reach the operator at ${url}: ${errorText(error)}`, {
      code: "JOIN_UNREACHABLE",
      blame: "host",
      retry: "later",
      hint: "Check the address, and that its port is open from here; a certificate error means that the name in the address is not the operator's.",
      cause: error,
    });
  }
};

async function readText(response: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
  }
  return text;
}
