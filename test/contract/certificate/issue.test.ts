import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSignedBy, parseBundle, parseCertificate } from "../../../src/certificate/certificate.ts";
import type { DistinguishedName } from "../../../src/certificate/distinguished-name.ts";
import { formatDistinguishedName } from "../../../src/certificate/distinguished-name.ts";
import { type Authority, issueAuthority, issueLeaf } from "../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../src/certificate/private-key.ts";
import { createRequest, parseRequest } from "../../../src/certificate/request.ts";
import { ip } from "../../support/network-objects.ts";

const folder = mkdtempSync(join(tmpdir(), "selvedge-certificate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIRST = Date.UTC(2026, 0, 1);
const LAST = Date.UTC(2046, 0, 1);
const VALID = { notBefore: FIRST, notAfter: LAST };
const CA: DistinguishedName = { country: "CN", organization: "fabedge.io", commonName: "Fabedge CA" };
const EDGE: DistinguishedName = { ...CA, commonName: "paris.e1" };

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The oracle. @returns what it printed */
function openssl(...words: readonly string[]): string {
  const { stdout } = Bun.spawnSync(["openssl", ...words]);
  return stdout.toString();
}

const newAuthority = () => issueAuthority(PrivateKey.generate(), CA, VALID);

function newLeaf(authority: Authority, key: PrivateKey, over: object = {}): string {
  return issueLeaf(authority, {
    subject: EDGE,
    dnsNames: ["paris.e1"],
    addresses: [ip("192.168.9.7"), ip("fd00::7")],
    publicKey: key.publicKey(),
    ...VALID,
    ...over,
  });
}

/** What FabEdge's cert job makes: RSA, another order of extensions, no key identifiers. */
function fabedgeAuthority(): Authority {
  const key = openssl("genrsa", "-traditional", "2048");
  const keyFile = file("fabedge.key", key);
  const words = [
    "-new",
    "-x509",
    "-sha384",
    "-key",
    keyFile,
    "-days",
    "365",
    "-subj",
    "/C=CN/O=fabedge.io/CN=Fabedge CA",
  ];
  const extensions = [
    "-addext",
    "keyUsage=critical,keyEncipherment,digitalSignature,keyCertSign",
    "-addext",
    "subjectKeyIdentifier=none",
  ];
  const certificate = openssl("req", ...words, ...extensions);
  return { certificate, key: PrivateKey.parse(key) };
}

describe("a certificate that was issued", () => {
  test("is one to OpenSSL, strictly, for both ends of TLS", () => {
    const authority = newAuthority();
    const leaf = file("leaf.pem", newLeaf(authority, PrivateKey.generate()));
    const ca = file("ca.pem", authority.certificate);
    for (const purpose of ["sslserver", "sslclient"]) {
      expect(openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca, leaf)).toBe(`${leaf}: OK\n`);
    }
  });

  test("says what was asked for", () => {
    const leaf = file("said.pem", newLeaf(newAuthority(), PrivateKey.generate()));
    const text = openssl("x509", "-in", leaf, "-noout", "-text", "-nameopt", "RFC2253,-dn_rev");
    expect(text).toContain("Subject: C=CN,O=fabedge.io,CN=paris.e1");
    expect(text).toContain("Not Before: Jan  1 00:00:00 2026 GMT");
    expect(text).toContain("Not After : Jan  1 00:00:00 2046 GMT");
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toContain("DNS:paris.e1, IP Address:192.168.9.7, IP Address:FD00:0:0:0:0:0:0:7");
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  });

  test("of an adopted authority with an RSA key is one to OpenSSL too", () => {
    const authority = fabedgeAuthority();
    const leaf = newLeaf(authority, PrivateKey.generate(), {
      notBefore: Date.now(),
      notAfter: Date.now() + 86_400_000,
    });
    const [leafFile, ca] = [file("adopted.pem", leaf), file("adopted-ca.pem", authority.certificate)];
    expect(openssl("verify", "-CAfile", ca, leafFile)).toBe(`${leafFile}: OK\n`);
  });

  test("may end after 2049, when years get four digits", () => {
    const authority = issueAuthority(PrivateKey.generate(), CA, {
      notBefore: FIRST,
      notAfter: Date.UTC(2060, 5, 1),
    });
    expect(openssl("x509", "-in", file("late.pem", authority.certificate), "-noout", "-enddate")).toBe(
      "notAfter=Jun  1 00:00:00 2060 GMT\n",
    );
  });
});

describe("a certificate that is read", () => {
  test("has its names, addresses, times and signer", () => {
    const [authority, other] = [newAuthority(), newAuthority()];
    const leaf = parseCertificate(newLeaf(authority, PrivateKey.generate()));
    const bundle = parseBundle(`${other.certificate}# the next one signs\n${authority.certificate}`);
    if (!leaf.ok || !bundle.ok) throw new Error("unreadable");
    expect(formatDistinguishedName(leaf.value.subject)).toBe("C=CN, O=fabedge.io, CN=paris.e1");
    expect(leaf.value).toMatchObject({ ...VALID, issuer: CA, isAuthority: false, dnsNames: ["paris.e1"] });
    expect(leaf.value.addresses).toEqual([ip("192.168.9.7"), ip("fd00::7")]);
    expect(bundle.value.map((signer) => isSignedBy(leaf.value, signer))).toEqual([false, true]);
    expect(
      openssl("x509", "-in", file("read.pem", leaf.value.pem), "-noout", "-fingerprint", "-sha256").toLowerCase(),
    ).toContain(leaf.value.fingerprint.replace(/(..)(?!$)/g, "$1:"));
  });

  test.each(["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x".repeat(20_000)])(
    "is refused with a reason where it is none: %#",
    (text) => expect(parseCertificate(text)).toMatchObject({ ok: false, error: { at: "certificate" } }),
  );
});

describe("a request", () => {
  test("is one to OpenSSL, and gives its key back", () => {
    const key = PrivateKey.generate();
    const pem = createRequest(key, EDGE);
    const { exitCode } = Bun.spawnSync(["openssl", "req", "-in", file("request.pem", pem), "-noout", "-verify"]);
    expect(exitCode).toBe(0);
    expect(parseRequest(pem)).toEqual({ ok: true, value: { publicKey: key.publicKey() } });
  });

  test("of OpenSSL with an RSA key is read", () => {
    const words = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", join(folder, "r.key"), "-subj", "/CN=x"];
    const pem = openssl(...words);
    expect(parseRequest(pem).ok).toBe(true);
  });

  test.each([
    ["rsa:1024", /1024 bits/],
    ["ed25519", /neither P-256 nor RSA/],
  ])("with a key of %s is refused", (algorithm, why) => {
    const words = ["req", "-new", "-newkey", algorithm, "-nodes", "-keyout", join(folder, "w.key"), "-subj", "/CN=x"];
    const read = parseRequest(openssl(...words));
    expect(read.ok ? "" : read.error.why).toMatch(why);
  });

  test("that somebody changed is refused", () => {
    const pem = createRequest(PrivateKey.generate(), EDGE);
    const lines = pem.split("\n");
    const der = Uint8Array.fromBase64(lines.slice(1, -2).join(""));
    der[30] = (der[30] ?? 0) ^ 1;
    const changed = [lines[0], der.toBase64(), lines.at(-2), ""].join("\n");
    expect(parseRequest(changed).ok).toBe(false);
    expect(parseRequest("no request")).toMatchObject({
      ok: false,
      error: { why: "there is no BEGIN CERTIFICATE REQUEST" },
    });
  });
});

describe("a private key", () => {
  test("goes through its text", () => {
    const key = PrivateKey.generate();
    expect(key.pem()).toStartWith("-----BEGIN EC PRIVATE KEY-----");
    expect(PrivateKey.parse(key.pem()).publicKey()).toEqual(key.publicKey());
  });

  test("that is none is refused without showing it", () => {
    const refused = () => PrivateKey.parse("-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n");
    expect(refused).toThrow("Cannot use the private key");
    expect(refused).not.toThrow("secret");
  });
});
