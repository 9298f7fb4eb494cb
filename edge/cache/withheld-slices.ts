import type { ListWatchEvent } from "../../src/kube/list-watch-event.ts";
import type { ObjectKind } from "../../src/network/object-change.ts";

/** Either kind says where a service's endpoints are. */
type EndpointKind = Extract<ObjectKind, "EndpointSlice" | "Endpoints">;

/**
 * Finds out whether the source gives Endpoints and refuses EndpointSlices, which is how KubeEdge is installed: cloudcore's
 * ClusterRole names endpoints and not endpointslices. metaServer answers a list that the cloud refuses as if the cloud
 * were away; one is told from the other by a list of Endpoints that is the cloud's word, and slices that are still not.
 */
export class WithheldSlices {
  #stage: "given" | "doubted" | "asked again" | "withheld";

  constructor(withheld: boolean) {
    this.#stage = withheld ? "withheld" : "given";
  }

  get withheld(): boolean {
    return this.#stage === "withheld";
  }

  /** @returns the kind whose list would tell more, if it came now */
  observe(kind: EndpointKind, event: ListWatchEvent<unknown>): EndpointKind | undefined {
    const answer = answerOf(event);
    if (answer === undefined) return undefined;
    return kind === "EndpointSlice" ? this.#slices(answer) : this.#endpoints(answer);
  }

  #slices(answer: Answer): EndpointKind | undefined {
    if (answer === "given") {
      this.#stage = "given";
    } else if (this.#stage === "withheld") {
      // Until they are given again.
    } else if (answer === "none") {
      this.#stage = "given";
    } else if (this.#stage === "asked again") {
      this.#stage = "withheld";
    } else if (this.#stage === "given") {
      this.#stage = "doubted";
      return "Endpoints";
    }
    return undefined;
  }

  #endpoints(answer: Answer): EndpointKind | undefined {
    if (this.#stage === "given" || this.#stage === "withheld") return undefined;
    this.#stage = answer === "given" ? "asked again" : "given";
    return answer === "given" ? "EndpointSlice" : undefined;
  }
}

/** none: there is no answer, which says nothing about the kind. */
type Answer = "given" | "not given" | "none";

const REFUSED = new Set(["KUBE_FORBIDDEN", "KUBE_NOT_FOUND"]);

/** @returns undefined where the event is no answer to a list */
function answerOf(event: ListWatchEvent<unknown>): Answer | undefined {
  if (event.type === "list") return event.authoritative ? "given" : "not given";
  // The state that follows a list repeats what the list said.
  if (event.type !== "state" || event.connected || event.error.code === "KUBE_CLOUD_ABSENT") return undefined;
  return REFUSED.has(event.error.code) ? "not given" : "none";
}
