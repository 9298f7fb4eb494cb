import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

export interface FabEdgeCredentials {
  readonly certificate: string;
  /** PKCS#1. */
  readonly key: string;
  readonly authorities: string;
}

/**
 * Certificates as FabEdge 1.0.0 makes them, by openssl: RSA with SHA-384, a subject of country, organization and name,
 * keys in PKCS#1. Its authority has 4096 bits; 2048 are made in a tenth of the time.
 */
export class FabEdgeAuthority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "selvedge-fabedge-"));
  #serial = 0;

  static async create(commonName = "Fabedge CA"): Promise<FabEdgeAuthority> {
    const authority = new FabEdgeAuthority();
    const [certificate, key] = [authority.#path("ca.crt"), authority.#path("ca.key")];
    const usage = "keyUsage=digitalSignature,keyEncipherment,keyCertSign";
    const subject = `/C=CN/O=fabedge.io/CN=${commonName}`;
    await $`openssl req -x509 -newkey rsa:2048 -nodes -sha384 -subj ${subject} -days 365 -addext ${usage} -keyout ${key} -out ${certificate}`.quiet();
    return authority;
  }

  private constructor() {}

  /** PEM. */
  certificate(): Promise<string> {
    return Bun.file(this.#path("ca.crt")).text();
  }

  async issue(name: string, { days = 3650 } = {}): Promise<FabEdgeCredentials> {
    this.#serial += 1;
    const [key, request, certificate, extensions] = ["key", "csr", "crt", "ext"].map((suffix) =>
      this.#path(`${this.#serial}.${suffix}`),
    );
    await $`openssl genrsa -traditional -out ${key} 2048`.quiet();
    await $`openssl req -new -key ${key} -subj ${`/C=CN/O=fabedge.io/CN=${name}`} -out ${request}`.quiet();
    const lines = [
      "keyUsage=digitalSignature,keyEncipherment",
      "extendedKeyUsage=serverAuth,clientAuth",
      `subjectAltName=DNS:${name},IP:192.168.9.7`,
    ];
    await Bun.write(extensions ?? "", `${lines.join("\n")}\n`);
    const [authority, authorityKey] = [this.#path("ca.crt"), this.#path("ca.key")];
    await $`openssl x509 -req -sha384 -in ${request} -CA ${authority} -CAkey ${authorityKey} -CAcreateserial -days ${days} -extfile ${extensions} -out ${certificate}`.quiet();
    return {
      certificate: await Bun.file(certificate ?? "").text(),
      key: await Bun.file(key ?? "").text(),
      authorities: await this.certificate(),
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}
