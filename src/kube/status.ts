import { type Blame, type Retry, SelvedgeError } from "../base/errors.ts";
import { parseJson } from "./json-view.ts";

interface Meaning {
  readonly code: string;
  readonly blame: Blame;
  readonly retry: Retry;
  readonly hint: string;
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  400: {
    code: "KUBE_BAD_REQUEST",
    blame: "us",
    retry: "later",
    hint: "Is this address a Kubernetes API, and is http or https right?",
  },
  401: {
    code: "KUBE_UNAUTHORIZED",
    blame: "user",
    retry: "later",
    hint: "Check the token file or the client certificate.",
  },
  403: {
    code: "KUBE_FORBIDDEN",
    blame: "user",
    retry: "later",
    hint: "Give the account get, list and watch on this resource.",
  },
  404: {
    code: "KUBE_NOT_FOUND",
    blame: "user",
    retry: "later",
    hint: "Check the address, and whether this resource type is installed.",
  },
  406: {
    code: "KUBE_NOT_ACCEPTABLE",
    blame: "peer",
    retry: "later",
    hint: "The source does not give JSON.",
  },
  410: {
    code: "KUBE_GONE",
    blame: "peer",
    retry: "now",
    hint: "The version asked for is too old; a new list follows by itself.",
  },
  429: {
    code: "KUBE_BUSY",
    blame: "peer",
    retry: "later",
    hint: "The source is overloaded; the next attempt comes later.",
  },
};

const OTHER: Meaning = {
  code: "KUBE_SERVER_ERROR",
  blame: "peer",
  retry: "later",
  hint: "Look at the source's own log.",
};

/** A message of a Status object is a sentence; anything longer is cut. */
const STATUS_MESSAGE_MAX = 512;

/**
 * The error for an answer other than 200.
 *
 * @param what what was asked, such as "list /api/v1/services"
 * @param body the Status object, or whatever came in its place
 */
export function statusError(what: string, httpStatus: number, body: unknown): SelvedgeError {
  const message = parseJson(body, (status) => status.field("message").optionalString(64 * STATUS_MESSAGE_MAX));
  const meaning = MEANINGS[httpStatus] ?? OTHER;
  const said = (message.ok && message.value) || "no reason given";
  return new SelvedgeError(
    `Cannot ${what} as the source refused: current value is ${httpStatus} "${said.slice(0, STATUS_MESSAGE_MAX)}"`,
    meaning,
  );
}

/** The error for a watch's ERROR event, whose object is a Status with a code of its own. */
export function watchError(what: string, status: unknown): SelvedgeError {
  const code = parseJson(status, (s) => s.field("code").optionalInteger(100, 599));
  return statusError(what, (code.ok && code.value) || 500, status);
}
