import type { Clock, Timer } from "../../src/base/clock.ts";
import { minutes, seconds } from "../../src/base/duration.ts";
import { errorCode, errorText } from "../../src/base/errors.ts";
import { parseIp } from "../../src/base/ip.ts";
import type { Log } from "../../src/base/log.ts";
import type { Scope } from "../../src/base/scope.ts";
import type { JoinDesk } from "../join/join-desk.ts";
import { JoinServer } from "../join/join-server.ts";
import { trustBundle } from "../operator/authority-plan.ts";
import { readLeaf, type SecretTexts, type Signer, takeLeafStep } from "../operator/certificates.ts";
import type { CertificateNames } from "../operator/document.ts";
import { planLeaf } from "../operator/leaf-plan.ts";

export interface JoinStationOptions {
  readonly listen: { readonly hostname: string; readonly port: number };
  readonly names: CertificateNames;
  /** Undefined while there is no authority. @throws SelvedgeError CA_INVALID */
  readonly signer: () => Signer | undefined;
  readonly desk: JoinDesk;
  readonly clock: Clock;
  readonly log: Log;
}

/** Until there is an authority, and a free port. */
const TRY_AGAIN = seconds(1);
const LOOK_AGAIN = minutes(10);

/** Where nodes join: a server with a certificate of its own, which lives in memory and is renewed as others are. */
export class JoinStation {
  readonly #options: JoinStationOptions;
  readonly #scope: Scope;
  #texts: SecretTexts = {};
  #server: JoinServer | undefined;
  #timer: Timer | undefined;

  constructor(options: JoinStationOptions, scope: Scope) {
    this.#options = options;
    this.#scope = scope;
    scope.onClose("join station", () => this.#timer?.cancel());
    void this.#look();
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#options;
    let next = LOOK_AGAIN;
    try {
      await this.#renew();
    } catch (error) {
      next = TRY_AGAIN;
      log.warn("join.station", errorText(error), { code: errorCode(error) });
    }
    if (this.#scope.signal.aborted) return;
    this.#timer = clock.after(this.#server === undefined ? TRY_AGAIN : next, () => void this.#look());
  }

  async #renew(): Promise<void> {
    const { listen, names, signer: signerOf, desk, clock, log } = this.#options;
    const signer = signerOf();
    if (signer === undefined) return;
    const before = this.#texts["tls.crt"] === undefined ? undefined : readLeaf(this.#texts, false, signer);
    const step = planLeaf(names, before, trustBundle(signer.state), clock.wall());
    const texts = takeLeafStep(step, names, this.#texts, signer, clock.wall());
    if (texts === undefined || this.#scope.signal.aborted) return;
    const [certificate, key] = [`${texts["tls.crt"]}${texts["ca.crt"]}`, texts["tls.key"] ?? ""];
    if (this.#server === undefined) {
      this.#server = new JoinServer({ ...listen, certificate, key }, desk, log, this.#scope);
      log.info("join.listening", "Nodes can join", { addr: listen.hostname, port: this.#server.port });
    } else {
      this.#server.renew(certificate, key);
    }
    // What is not shown is tried again.
    this.#texts = texts;
  }
}

/** Addresses and names as a certificate has them. */
export function joinNames(texts: readonly string[]): {
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
} {
  const read = [...new Set(texts)].map((text) => ({ text, ip: parseIp(text) }));
  return {
    dnsNames: read.flatMap(({ text, ip }) => (ip.ok ? [] : [text])),
    ips: read.flatMap(({ ip }) => (ip.ok ? [ip.value] : [])),
  };
}
