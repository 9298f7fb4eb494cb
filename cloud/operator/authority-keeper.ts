import { type Duration, minutes } from "../../src/base/duration.ts";
import type { Informer } from "../../src/kube/informer.ts";
import { SECRETS } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import { planAuthority, untilNextStep } from "./authority-plan.ts";
import { reportAuthority, reportUnusableAuthority, tellAuthorityStep } from "./authority-report.ts";
import { readSigner, type SecretTexts, type Signer, takeAuthorityStep } from "./certificates.ts";
import type { Problem } from "./problem.ts";
import type { ProblemNews } from "./problem-history.ts";
import { encodeTexts } from "./secret-manifest.ts";

export interface AuthorityKeeperOptions {
  /** Of the one Secret. */
  readonly informer: Informer<SecretTexts>;
  readonly writer: KubeWriter;
  readonly namespace: string;
  readonly name: string;
  readonly organization: string;
  /** Milliseconds since 1970: what is valid when is a matter of the calendar. */
  readonly wall: () => number;
  /** Nodes whose agents do not hear of a successor, who therefore waits. */
  readonly leftNodes: () => readonly string[];
  /** Once a step is written. */
  readonly onStep: (news: ProblemNews) => void;
}

/** Until the Secret that was just written is seen. */
const SEEN_SOON = minutes(1);

/** The authority that signs, and its succession, step by step. */
export class AuthorityKeeper {
  readonly #options: AuthorityKeeperOptions;
  #read: { readonly resourceVersion: string; readonly signer: Signer | undefined } | undefined;

  constructor(options: AuthorityKeeperOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined where there is none yet
   * @throws SelvedgeError CA_INVALID
   */
  get signer(): Signer | undefined {
    const stored = this.#stored;
    if (stored === undefined) return undefined;
    if (this.#read?.resourceVersion !== stored.resourceVersion) {
      this.#read = { resourceVersion: stored.resourceVersion, signer: readSigner(stored.value) };
    }
    return this.#read.signer;
  }

  /**
   * Takes one step where one is due: the next one is planned from what that one left in the Secret.
   *
   * @returns when to look again at the latest
   */
  async step(term: AbortSignal): Promise<Duration> {
    const { writer, namespace, name, organization, wall, onStep } = this.#options;
    const held = this.#options.leftNodes().length > 0;
    const stored = this.#stored;
    const state = this.signer?.state;
    const step = planAuthority(state, wall(), held);
    const texts = takeAuthorityStep(step, stored?.value ?? {}, organization, wall());
    if (step.step === "keep" || texts === undefined)
      return state === undefined ? SEEN_SOON : untilNextStep(state, wall(), held);
    // Without the label of what the plan makes and takes away.
    const manifest = { metadata: { namespace, name }, data: encodeTexts(texts) };
    if (stored === undefined) {
      // Never in place of one that is there and was not seen: its leaves are in use.
      await writer.create(SECRETS, { ...manifest, type: "Opaque" }, term);
    } else {
      await writer.apply(SECRETS, manifest, term, { force: true, precondition: stored });
    }
    onStep(tellAuthorityStep(step, state, wall()));
    return SEEN_SOON;
  }

  /** What is wrong with it, for this cluster's own object. */
  problems(): readonly Problem[] {
    const { leftNodes, wall } = this.#options;
    try {
      const state = this.signer?.state;
      return state === undefined ? [] : reportAuthority(state, leftNodes(), wall());
    } catch (error) {
      return reportUnusableAuthority(error);
    }
  }

  get #stored() {
    const { informer, namespace, name } = this.#options;
    return informer.store.get(`${namespace}/${name}`);
  }
}
