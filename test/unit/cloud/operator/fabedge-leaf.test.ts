import { beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecretTexts } from "../../../../cloud/operator/certificates.ts";
import { CertificateWorld, DAY, wanted } from "../../../support/certificate-world.ts";

const LEAF_DAYS = 3650;

describe("what FabEdge has issued", () => {
  let authority: SecretTexts;
  let leaf: SecretTexts;
  const now = Date.now();

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), "fabedge-leaf-"));
    const openssl = (...argv: string[]) => {
      const { exitCode, stderr, stdout } = Bun.spawnSync(["openssl", ...argv], { cwd: folder });
      if (exitCode !== 0) throw new Error(stderr.toString());
      return stdout.toString();
    };
    const extension = (...values: string[]) => values.flatMap((value) => ["-addext", value]);
    // As its certificate package makes them: RSA in PKCS #1, SHA-384, a year and ten.
    openssl(
      ...[
        "req",
        "-x509",
        "-newkey",
        "rsa:4096",
        "-nodes",
        "-sha384",
        "-days",
        "365",
        "-keyout",
        "8.key",
        "-out",
        "ca.crt",
      ],
      ...["-subj", "/C=CN/O=fabedge.io/CN=Fabedge CA"],
      ...extension("keyUsage=keyEncipherment,digitalSignature,keyCertSign"),
    );
    openssl("rsa", "-traditional", "-in", "8.key", "-out", "ca.key");
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "8.key",
      "-out",
      "csr",
      "-subj",
      "/C=CN/O=fabedge.io/CN=paris.e1",
    );
    openssl("rsa", "-traditional", "-in", "8.key", "-out", "tls.key");
    const extensions = [
      "keyUsage=keyEncipherment,digitalSignature",
      "extendedKeyUsage=serverAuth,clientAuth",
      "subjectAltName=DNS:paris.e1,IP:192.168.9.7",
    ];
    Bun.spawnSync(["tee", join(folder, "ext")], { stdin: Buffer.from(extensions.join("\n")), stdout: "ignore" });
    openssl(
      ...["x509", "-req", "-in", "csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-sha384"],
      ...["-days", String(LEAF_DAYS), "-extfile", "ext", "-out", "tls.crt"],
    );
    const shown = openssl("x509", "-in", "tls.crt", "-noout", "-text");
    expect(shown).toContain("sha384WithRSAEncryption");
    expect(shown).not.toContain("Basic Constraints");
    const text = (name: string) => readFileSync(join(folder, name), "utf8");
    expect(text("tls.key")).toContain("BEGIN RSA PRIVATE KEY");
    authority = { "ca.crt": text("ca.crt"), "ca.key": text("ca.key") };
    leaf = {
      "tls.crt": text("tls.crt"),
      "tls.key": text("tls.key"),
      "ca.crt": text("ca.crt"),
      "ipsec.secrets": ": RSA tls.key\n",
    };
    rmSync(folder, { recursive: true });
  });

  function adopted(): CertificateWorld {
    const world = new CertificateWorld();
    world.authority = authority;
    world.leaf = leaf;
    return world;
  }

  test("stays as it is, authority and certificate", () => {
    const world = adopted();
    world.live(now + DAY);
    expect(world.steps).toEqual([]);
    expect(world.leaf).toBe(leaf);
  });

  const elsewhere = { ips: ["192.168.9.8", "2001:db8::8"] };

  test("for addresses that the node has no longer stays while FabEdge's agent has it open", () => {
    const world = adopted();
    world.live(now + DAY, wanted("paris.e1", { ...elsewhere, keptWhileValid: true }));
    expect(world.steps).toEqual([]);
    world.live(now + DAY, wanted("paris.e1", elsewhere));
    expect(world.steps).toEqual(["issue"]);
    expect(world.leaf["ipsec.secrets"]).toBe(": ECDSA tls.key\n");
  });

  test.each([
    ["another's name", wanted("paris.e2", { keptWhileValid: true }), {}],
    ["no key", wanted("paris.e1", { keptWhileValid: true }), { "tls.key": undefined }],
    ["no certificate", wanted("paris.e1", { keptWhileValid: true }), { "tls.crt": "rubbish" }],
  ])("with %s is issued again also then", (_, names, damage) => {
    const world = adopted();
    world.leaf = { ...leaf, ...damage };
    world.live(now + DAY, names);
    expect(world.steps).toEqual(["issue"]);
  });

  test("is issued again when its authority has a successor that signs, and not before", () => {
    const world = adopted();
    const names = wanted("paris.e1", { keptWhileValid: true });
    world.live(now + 186 * DAY, names);
    expect(world.steps).toEqual(["prepare", "rebundle"]);
    expect(world.leaf["tls.key"]).toBe(leaf["tls.key"]);
    world.live(now + 194 * DAY, names);
    expect(world.steps.slice(2)).toEqual(["switch", "issue"]);
  });
});
