import { type Duration, minutes } from "../../src/base/duration.ts";
import type { Informer } from "../../src/kube/informer.ts";
import { SECRETS } from "../../src/kube/resource.ts";
import type { KubeWriter } from "../../src/kube/writer.ts";
import { planAuthority, untilNextStep } from "./authority-plan.ts";
import { readSigner, type SecretTexts, type Signer, takeAuthorityStep } from "./certificates.ts";
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
    const { writer, namespace, name, organization, wall } = this.#options;
    const stored = this.#stored;
    const state = this.signer?.state;
    const texts = takeAuthorityStep(planAuthority(state, wall()), stored?.value ?? {}, organization, wall());
    if (texts === undefined) return state === undefined ? SEEN_SOON : untilNextStep(state, wall());
    // Without the label of what the plan makes and takes away.
    const manifest = { metadata: { namespace, name }, data: encodeTexts(texts) };
    if (stored === undefined) {
      // Never in place of one that is there and was not seen: its leaves are in use.
      await writer.create(SECRETS, { ...manifest, type: "Opaque" }, term);
    } else {
      await writer.apply(SECRETS, manifest, term, { force: true, precondition: stored });
    }
    return SEEN_SOON;
  }

  get #stored() {
    const { informer, namespace, name } = this.#options;
    return informer.store.get(`${namespace}/${name}`);
  }
}
