import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

import { contentOf, type Message } from "./message.ts";

interface CertificateSigningRequest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly request: string };
}

/** The cluster's signer of kubelet-serving certificates, and its certificate authority. */
export class CertificateRequests {
  readonly #authority: { readonly certFile: string; readonly keyFile: string };
  readonly #signed = new Map<string, object>();

  constructor(authority: { readonly certFile: string; readonly keyFile: string }) {
    this.#authority = authority;
  }

  /** @returns the content of the answer; undefined where the message is about something else */
  async answer(message: Message): Promise<unknown> {
    const { resource = "", operation } = message.route;
    if (resource === "k8s/ca.crt") return await Bun.file(this.#authority.certFile).text();
    const name = /^default\/certificatesigningrequest\/(.+)$/.exec(resource)?.[1];
    if (name !== undefined && operation === "query") return this.#signed.get(name);
    if (name === undefined || operation !== "insert") return undefined;
    const request = contentOf(message) as CertificateSigningRequest;
    const metadata = { ...request.metadata, name: request.metadata.name || name, uid: crypto.randomUUID() };
    const condition = { type: "Approved", status: "True", reason: "Lab" };
    const status = { conditions: [condition], certificate: await this.#sign(request.spec.request) };
    const object = {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      ...request,
      metadata,
      status,
    };
    this.#signed.set(name, object);
    return { Object: object, Err: null };
  }

  async #sign(request: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "selvedge-csr-"));
    const [file, signed] = [join(folder, "request.pem"), join(folder, "signed.pem")];
    try {
      await Bun.write(file, Buffer.from(request, "base64"));
      const { certFile, keyFile } = this.#authority;
      const how = ["-copy_extensions", "copy", "-days", "2"];
      await $`openssl x509 -req -in ${file} -CA ${certFile} -CAkey ${keyFile} ${how} -out ${signed}`.quiet();
      return Buffer.from(await Bun.file(signed).bytes()).toString("base64");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
