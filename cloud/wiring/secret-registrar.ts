import type { Clock } from "../../src/base/clock.ts";
import { errorCode } from "../../src/base/errors.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { getObject } from "../../src/kube/get.ts";
import { SECRETS } from "../../src/kube/resource.ts";
import { KubeWriter } from "../../src/kube/writer.ts";
import type { Registrar } from "../join/join-desk.ts";
import { admittedCertificate, notReady } from "../operator/admission.ts";
import { trustBundle } from "../operator/authority-plan.ts";
import { certifyKey, type Signer } from "../operator/certificates.ts";
import type { DesiredCertificate } from "../operator/document.ts";
import { FIELD_MANAGER, LEAF_TEXTS_DECODER } from "../operator/observed-documents.ts";
import type { Operator } from "../operator/operator.ts";
import { planLeafManifest } from "../operator/secret-manifest.ts";

/** The leader may write the same Secret at the same moment, once or twice. */
const TRIES = 5;

/**
 * Gives certificates to keys that stay on their nodes, and puts them into the nodes' Secrets. Any replica may: the
 * leader has made the Secret, and a write by either takes the other's into account or is a conflict.
 */
export class SecretRegistrar implements Registrar {
  readonly #operator: Pick<Operator, "document" | "signer">;
  readonly #client: KubeClient;
  readonly #writer: KubeWriter;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  constructor(
    operator: Pick<Operator, "document" | "signer">,
    client: KubeClient,
    namespace: string,
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#operator = operator;
    this.#client = client;
    this.#writer = new KubeWriter(client, FIELD_MANAGER);
    this.#namespace = namespace;
    this.#clock = clock;
    this.#signal = signal;
  }

  async bundle(): Promise<string> {
    return trustBundle(this.#signer().state);
  }

  async check(node: string): Promise<void> {
    this.#signer();
    await this.#find(node);
  }

  async admit(node: string, publicKey: Uint8Array<ArrayBuffer>): Promise<string> {
    for (let left = TRIES; ; left--) {
      const signer = this.#signer();
      const { object, precondition } = await this.#find(node);
      const texts = certifyKey(object, publicKey, signer, this.#clock.wall());
      const manifest = planLeafManifest(object, { texts, keyIsOnNode: true });
      try {
        await this.#writer.apply(SECRETS, manifest, this.#signal, { force: true, precondition });
        return texts["tls.crt"] ?? "";
      } catch (error) {
        if (errorCode(error) !== "KUBE_CONFLICT" || left === 1) throw error;
      }
    }
  }

  #signer(): Signer {
    const { signer } = this.#operator;
    if (signer === undefined) throw notReady("nodes", "there is no authority");
    return signer;
  }

  async #find(node: string): Promise<{ readonly object: DesiredCertificate; readonly precondition: object }> {
    const object = admittedCertificate(node, this.#namespace, (key) => this.#operator.document(key));
    const { namespace, name } = object;
    const found = await getObject(this.#client, LEAF_TEXTS_DECODER, { namespace, name }, this.#signal);
    // Were it made here, a leader that has looked before would put another one over it.
    if (found === undefined) throw notReady(`node "${node}"`, "its Secret is not made");
    return { object, precondition: { uid: found.uid, resourceVersion: found.resourceVersion } };
  }
}
