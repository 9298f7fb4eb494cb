import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";

/**
 * The certificates of a KubeEdge cluster in a folder: its authority, cloudcore's, the node's (its common name is how
 * cloudcore knows the node), and that of a metaServer on 127.0.0.1 (before KubeEdge 1.17 a file).
 */
export class EdgeCertificates implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "selvedge-kubeedge-"));

  static async create(cloudAddress: string, node: string): Promise<EdgeCertificates> {
    const certificates = new EdgeCertificates();
    const { folder } = certificates;
    const [certificate, key] = [join(folder, "ca.crt"), join(folder, "ca.key")];
    await $`openssl req -x509 ${KEY} -subj /CN=KubeEdge -days 2 -keyout ${key} -out ${certificate}`.quiet();
    await certificates.#issue("cloud", "/CN=cloudcore", `IP:${cloudAddress}`);
    await certificates.#issue("node", `/O=system:nodes/CN=system:node:${node}`, `DNS:${node}`);
    await certificates.#issue("metaserver", "/CN=metaserver", "IP:127.0.0.1");
    return certificates;
  }

  private constructor() {}

  /** @param name such as "node.crt" */
  read(name: string): Promise<string> {
    return Bun.file(join(this.folder, name)).text();
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #issue(name: string, subject: string, alternative: string): Promise<void> {
    const file = (suffix: string) => join(this.folder, `${name}.${suffix}`);
    const authority = ["-CA", join(this.folder, "ca.crt"), "-CAkey", join(this.folder, "ca.key")];
    const extension = `subjectAltName=${alternative}`;
    const out = ["-keyout", file("key"), "-out", file("crt")];
    await $`openssl req -x509 ${KEY} ${authority} -subj ${subject} -addext ${extension} -days 2 ${out}`.quiet();
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
