/** What stands between us and the cloud; each has its own manners. */
export type SourceKind = "metaserver" | "yurthub" | "lite-apiserver" | "api-server" | "hub";

/** What a LIST answered, without its items. */
export interface ListAnswer {
  /** metadata.resourceVersion, undefined when missing or empty. */
  readonly resourceVersion: string | undefined;
  /** metadata.selfLink, undefined when missing or empty. */
  readonly selfLink: string | undefined;
}

/**
 * Whether a LIST is the cloud's word, so that what it does not name is gone.
 *
 * - edgecore's metaServer answers 200 with its own rows, or nothing, on any trouble with the cloud. The cloud's answer
 *   has a resourceVersion and either no selfLink or (API servers before 1.20) one below /api or /apis; a local answer
 *   has the storage key as selfLink ("/core/v1/services/null/null"), or, being empty, no resourceVersion at all.
 * - What YurtHub and lite-apiserver have cached is the cloud's last word.
 * - An API server and our hub always mean what they list.
 */
export function isAuthoritative(source: SourceKind, answer: ListAnswer): boolean {
  switch (source) {
    case "metaserver":
      return answer.resourceVersion !== undefined && (answer.selfLink === undefined || isApiPath(answer.selfLink));
    case "yurthub":
    case "lite-apiserver":
      return answer.resourceVersion !== undefined;
    case "api-server":
    case "hub":
      return true;
  }
}

function isApiPath(selfLink: string): boolean {
  return selfLink.startsWith("/api/") || selfLink.startsWith("/apis/");
}
