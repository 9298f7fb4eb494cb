import { errorText } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { InformerStatus } from "./informer.ts";
import { isOutage } from "./status.ts";

/** Says why a kind cannot be read, once for each reason: what follows from it only shows that it is not. */
export class KindTrouble {
  readonly #log: Log;
  #told = "";

  constructor(log: Log) {
    this.#log = log;
  }

  see({ kind, error }: Pick<InformerStatus, "kind" | "error">): void {
    // That the API server is away is said where the lease is renewed, once for all kinds.
    const passes = isOutage(error) || error?.retry === "now";
    const trouble = passes ? undefined : error;
    const text = trouble === undefined ? "" : errorText(trouble);
    const news = text !== this.#told;
    this.#told = text;
    if (trouble === undefined || !news) return;
    const { code, hint } = trouble;
    this.#log.warn("kube.unread", text, { name: kind, code, ...(hint === undefined ? {} : { hint }) });
  }
}
