import { SelvedgeError } from "../../src/base/errors.ts";
import { parseBundle } from "../../src/certificate/certificate.ts";
import type { PrivateKey } from "../../src/certificate/private-key.ts";
import { createRequest } from "../../src/certificate/request.ts";

/** What a node has after it joined; PEM. */
export interface Joined {
  readonly node: string;
  readonly certificate: string;
  readonly bundle: string;
}

export interface JoinRequest {
  /** https://HOST:PORT of the operator. */
  readonly url: string;
  readonly token: string;
  /** SHA-256 of one authority's certificate, lower-case hexadecimal: what tells the operator from anybody else. */
  readonly authorityHash: string;
  readonly key: PrivateKey;
}

/** An HTTPS request. @param authorities PEM of those to trust; undefined trusts whoever answers */
export type Ask = (
  url: string,
  authorities: string | undefined,
  post?: { readonly token: string; readonly body: string },
) => Promise<{ readonly status: number; readonly body: string }>;

/**
 * The key stays here: what is sent proves that it is there. Whoever answers first is not believed; of what it shows,
 * the authority with the pinned hash is, and with that the operator is asked again.
 *
 * @throws SelvedgeError JOIN_AUTHORITY_UNKNOWN, JOIN_REFUSED, JOIN_ANSWER
 */
export async function join({ url, token, authorityHash, key }: JoinRequest, ask: Ask): Promise<Joined> {
  const shown = await ask(`${url}/v1/authorities`, undefined);
  const authorities = parseBundle(shown.body);
  const pinned = authorities.ok
    ? authorities.value.find(({ fingerprint }) => fingerprint === authorityHash)
    : undefined;
  if (pinned === undefined) {
    throw new SelvedgeError(`Cannot join as ${url} does not show the authority that was named`, {
      code: "JOIN_AUTHORITY_UNKNOWN",
      blame: "user",
      retry: "never",
      hint: "Check the address, and --ca-cert-hash as selvedge-cloud token create printed it: somebody else may have answered.",
    });
  }
  // The names in it are not read by anybody: the operator knows the node by its token.
  const request = createRequest(key, { country: undefined, organization: undefined, commonName: "join" });
  const answer = await ask(`${url}/v1/join`, pinned.pem, { token, body: request });
  return readAnswer(answer, url);
}

function readAnswer({ status, body }: { readonly status: number; readonly body: string }, url: string): Joined {
  const answer = parseObject(body);
  if (status !== 200) {
    const message = typeof answer["message"] === "string" ? answer["message"].slice(0, 500) : `status ${status}`;
    const hint = typeof answer["hint"] === "string" ? answer["hint"].slice(0, 500) : "See the operator's log.";
    throw new SelvedgeError(message, { code: "JOIN_REFUSED", blame: "user", retry: "never", hint });
  }
  const { node, certificate, bundle } = answer;
  if (typeof node === "string" && typeof certificate === "string" && typeof bundle === "string") {
    if (parseBundle(certificate).ok && parseBundle(bundle).ok) return { node, certificate, bundle };
  }
  throw new SelvedgeError(`Cannot join as ${url} answered with no certificate`, {
    code: "JOIN_ANSWER",
    blame: "peer",
    retry: "later",
    hint: "Use selvedge join of the same version as the operator.",
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
