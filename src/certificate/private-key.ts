import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { SelvedgeError } from "../base/errors.ts";

/** A P-256 or RSA key that signs. Its text never goes into a log. */
export class PrivateKey {
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
  }

  static generate(): PrivateKey {
    return new PrivateKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  }

  /**
   * @param pem PKCS#8, SEC 1 or PKCS#1
   * @throws SelvedgeError KEY_INVALID
   */
  static parse(pem: string): PrivateKey {
    try {
      const key = createPrivateKey(pem);
      const curve = key.asymmetricKeyDetails?.namedCurve;
      if (key.asymmetricKeyType === "rsa" || (key.asymmetricKeyType === "ec" && curve === "prime256v1")) {
        return new PrivateKey(key);
      }
      throw new Error(`it is of type ${key.asymmetricKeyType}${curve === undefined ? "" : ` ${curve}`}`);
    } catch (cause) {
      throw new SelvedgeError("Cannot use the private key as it is neither P-256 nor RSA in PEM", {
        code: "KEY_INVALID",
        blame: "user",
        retry: "never",
        hint: "Give the key as it was made, such as a block that begins with BEGIN EC PRIVATE KEY or BEGIN RSA PRIVATE KEY.",
        cause,
      });
    }
  }

  get type(): "ECDSA" | "RSA" {
    return this.#key.asymmetricKeyType === "rsa" ? "RSA" : "ECDSA";
  }

  /** SEC 1 (RFC 5915) or PKCS#1: what charon's and Go's older loaders take. */
  pem(): string {
    const type = this.type === "RSA" ? "pkcs1" : "sec1";
    return this.#key.export({ type, format: "pem" }).toString();
  }

  /** DER of SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). */
  publicKey(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(createPublicKey(this.#key).export({ type: "spki", format: "der" }));
  }

  /** SHA-256; ECDSA as RFC 3279 section 2.2.3 has it, RSA with the padding of PKCS#1 1.5. */
  sign(bytes: Uint8Array): Uint8Array {
    return sign("sha256", bytes, this.#key);
  }
}
