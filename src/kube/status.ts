import { type Duration, milliseconds, seconds } from "../base/duration.ts";
import { type Blame, errorCode, type Retry, SelvedgeError } from "../base/errors.ts";
import { parseJson } from "./json-view.ts";

interface Meaning {
  readonly code: string;
  readonly blame: Blame;
  readonly retry: Retry;
  readonly hint: string;
}

const MEANINGS: Readonly<Record<number, Meaning | undefined>> = {
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
    hint: "Give the account the permission that the answer names; to read is get, list and watch.",
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
  409: {
    code: "KUBE_CONFLICT",
    blame: "peer",
    retry: "now",
    hint: "Somebody else changed the object; it is looked at again. Where it stays, see who else writes its fields.",
  },
  410: {
    code: "KUBE_GONE",
    blame: "peer",
    retry: "now",
    hint: "The version asked for is too old; a new list follows by itself.",
  },
  413: {
    code: "KUBE_TOO_LARGE",
    blame: "us",
    retry: "never",
    hint: "The object is larger than the server takes; fewer members in a community make it smaller.",
  },
  422: {
    code: "KUBE_INVALID",
    blame: "user",
    retry: "never",
    hint: "The server's own text says which field is wrong.",
  },
  429: {
    code: "KUBE_BUSY",
    blame: "peer",
    retry: "later",
    hint: "The source is overloaded; the next attempt comes later.",
  },
};

/** A gateway's or the server's own word that nobody is there to work: no matter of this one object. */
const UNAVAILABLE: Meaning = {
  code: "KUBE_UNAVAILABLE",
  blame: "peer",
  retry: "later",
  hint: "The source is starting, stopping or overloaded; the next attempt comes later.",
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
 * The error for an answer that refuses.
 *
 * @param what what was asked, such as "list /api/v1/services"
 * @param body the Status object, or whatever came in its place
 * @param after how long the source asks to be left alone
 */
export function statusError(what: string, httpStatus: number, body: unknown, after?: Duration): SelvedgeError {
  const message = parseJson(body, (status) => status.field("message").optionalString(64 * STATUS_MESSAGE_MAX));
  const meaning = MEANINGS[httpStatus] ?? (httpStatus >= 502 && httpStatus <= 504 ? UNAVAILABLE : OTHER);
  const said = (message.ok && message.value) || "no reason given";
  return new SelvedgeError(
    `Cannot ${what} as the source refused: current value is ${httpStatus} "${said.slice(0, STATUS_MESSAGE_MAX)}"`,
    after === undefined ? meaning : { ...meaning, after },
  );
}

/** Nothing that asks for more is believed: an hour's maintenance is announced by other means. */
const RETRY_AFTER_MAX = seconds(120);

/** @param header Retry-After: seconds. The API server writes no dates there (RFC 9110 section 10.2.3 would allow them) */
export function parseRetryAfter(header: string | null): Duration | undefined {
  if (header === null || !/^\d{1,9}$/.test(header)) return undefined;
  return milliseconds(Math.min(RETRY_AFTER_MAX, seconds(Number(header))));
}

const OUTAGES = new Set([
  "KUBE_UNREACHABLE",
  "KUBE_UNTRUSTED",
  "KUBE_UNAVAILABLE",
  "KUBE_BUSY",
  "KUBE_UNAUTHORIZED",
  "KUBE_CREDENTIALS",
]);

/** Whether an error is about the source as a whole, so that everything else that is asked of it would fail as well. */
export function isOutage(error: unknown): boolean {
  return OUTAGES.has(errorCode(error));
}

/** The error for a watch's ERROR event, whose object is a Status with a code of its own. */
export function watchError(what: string, status: unknown): SelvedgeError {
  const code = parseJson(status, (s) => s.field("code").optionalInteger(100, 599));
  return statusError(what, (code.ok && code.value) || 500, status);
}

export function badResponse(what: string, value: string, cause?: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as the answer is not the Kubernetes API's: current value is ${value}`, {
    code: "KUBE_BAD_RESPONSE",
    blame: "peer",
    retry: "later",
    hint: "Is this address a Kubernetes API?",
    cause,
  });
}

/** @param where the source's address, where it is known */
export function unreachable(what: string, value: string, cause: unknown, where = "the source"): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as ${where} does not answer: current value is ${value}`, {
    code: "KUBE_UNREACHABLE",
    blame: "peer",
    retry: "later",
    hint: "Check the address of the source and whether it runs; until then everything goes on from the cache.",
    cause,
  });
}

const OUT_OF_TIME = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);
/** X509_V_ERR_… of OpenSSL's x509_vfy.h as Node names them, and Node's own word for another name than the address has. */
const DISTRUST = new Set([
  ...OUT_OF_TIME,
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "CERT_SIGNATURE_FAILURE",
  "CERT_CHAIN_TOO_LONG",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "PATH_LENGTH_EXCEEDED",
  "HOSTNAME_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** Whether a connection failed since we do not believe the other side: it is there, and time alone mends nothing. */
export function isDistrust(code: string): boolean {
  return DISTRUST.has(code);
}

/** @param value what isDistrust knows */
export function untrusted(what: string, value: string, cause: unknown, where: string): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as the certificate of ${where} is not believed: current value is ${value}`, {
    code: "KUBE_UNTRUSTED",
    blame: "user",
    retry: "later",
    hint: OUT_OF_TIME.has(value)
      ? "See whether this machine's clock is right; if it is, the certificate of the source has to be renewed."
      : "Check that the CA file is of the authority that signed this certificate, and that the certificate names this address.",
    cause,
  });
}
