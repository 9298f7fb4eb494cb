import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { JoinDesk } from "../../../cloud/join/join-desk.ts";
import { JoinServer } from "../../../cloud/join/join-server.ts";
import { formatToken, type TokenRecord } from "../../../cloud/join/join-token.ts";
import { askOperator } from "../../../edge/join/ask-operator.ts";
import { join } from "../../../edge/join/join.ts";
import { KeyFiles } from "../../../edge/join/key-files.ts";
import { SelvedgeError } from "../../../src/base/errors.ts";
import { Log } from "../../../src/base/log.ts";
import { Scope } from "../../../src/base/scope.ts";
import { isSignedBy, parseCertificate } from "../../../src/certificate/certificate.ts";
import { type Authority, issueAuthority, issueLeaf } from "../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../src/certificate/private-key.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { ip } from "../../support/network-objects.ts";

const DAY = 86_400_000;
const CA = { country: "CN", organization: "fabedge.io", commonName: "Selvedge CA" };
const SECRET = "0123456789abcdef0123456789abcdef";
const hash = (text: string) => createHash("sha256").update(text).digest("hex");

const folders: string[] = [];
const scopes: Scope[] = [];
afterAll(async () => {
  for (const scope of scopes) await scope.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

let records: Map<string, TokenRecord>;
let authority: Authority;
let url: string;
let files: KeyFiles;
let folder: string;
/** What the registrar says of a node before its token is used. */
let check: () => Promise<void>;
/** What comes between the use of a token and the certificate. */
let admit: () => Promise<void>;

function leaf(signer: Authority, commonName: string, publicKey: Uint8Array<ArrayBuffer>): string {
  const valid = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY };
  const subject = { ...CA, commonName };
  return issueLeaf(signer, { subject, dnsNames: [commonName], addresses: [ip("127.0.0.1")], publicKey, ...valid });
}

beforeEach(async () => {
  check = async () => undefined;
  admit = async () => undefined;
  folder = mkdtempSync(joinPath(tmpdir(), "selvedge-join-"));
  folders.push(folder);
  files = new KeyFiles(joinPath(folder, "tls"));
  records = new Map([["edge1", { node: "edge1", hash: hash(SECRET), expires: Date.now() + DAY, key: undefined }]]);
  authority = issueAuthority(PrivateKey.generate(), CA, {
    notBefore: Date.now() - DAY,
    notAfter: Date.now() + DAY,
  });
  const tokens = {
    find: async (node: string) => {
      const record = records.get(node);
      return record === undefined ? undefined : { record, version: "1" };
    },
    bind: async (node: string, _version: string, key: string) => {
      const record = records.get(node);
      if (record?.key !== undefined) return false;
      if (record !== undefined) records.set(node, { ...record, key });
      return record !== undefined;
    },
  };
  const registrar = {
    bundle: async () => authority.certificate,
    check: () => check(),
    admit: async (node: string, publicKey: Uint8Array<ArrayBuffer>) => {
      await admit();
      return leaf(authority, `paris.${node}`, publicKey);
    },
  };
  const log = new Log(() => {}, "info");
  const desk = new JoinDesk({ tokens, registrar, hash, clock: new SystemClock(), log });
  const key = PrivateKey.generate();
  const certificate = leaf(authority, "paris.operator", key.publicKey());
  const scope = new Scope();
  scopes.push(scope);
  const server = new JoinServer({ hostname: "127.0.0.1", port: 0, certificate, key: key.pem() }, desk, log, scope);
  url = `https://127.0.0.1:${server.port}`;
});

function pinOf(signer: Authority): string {
  const certificate = parseCertificate(signer.certificate);
  return certificate.ok ? certificate.value.fingerprint : "";
}

const token = (node = "edge1", secret = SECRET) => formatToken({ node, secret });

function tryToJoin(over: { readonly token?: string; readonly authorityHash?: string; readonly key?: PrivateKey } = {}) {
  return join({ url, token: token(), authorityHash: pinOf(authority), key: files.key(), ...over }, askOperator);
}

describe("a node with a token", () => {
  test("gets a certificate in its name for the key that it keeps", async () => {
    const joined = await tryToJoin();
    files.keep(joined);
    const certificate = parseCertificate(readFileSync(joinPath(folder, "tls/tls.crt"), "utf8"));
    const signer = parseCertificate(readFileSync(joinPath(folder, "tls/ca.crt"), "utf8"));
    if (!certificate.ok || !signer.ok) throw new Error("unreadable");
    expect(certificate.value.subject.commonName).toBe("paris.edge1");
    expect(isSignedBy(certificate.value, signer.value)).toBe(true);
    expect(files.key().publicKey()).toEqual(
      PrivateKey.parse(readFileSync(joinPath(folder, "tls/tls.key"), "utf8")).publicKey(),
    );
    expect(statSync(joinPath(folder, "tls/tls.key")).mode & 0o777).toBe(0o600);
    expect(statSync(joinPath(folder, "tls")).mode & 0o777).toBe(0o700);
  });

  test("joins with one key", async () => {
    await tryToJoin();
    expect(await tryToJoin({ key: PrivateKey.generate() }).catch((error) => error)).toMatchObject({
      code: "JOIN_REFUSED",
      hint: expect.stringContaining("token create"),
    });
  });

  test("comes again with the same key when the operator died before it wrote the certificate", async () => {
    admit = () => Promise.reject(new Error("killed"));
    expect(await tryToJoin().catch((error) => error)).toMatchObject({ code: "JOIN_REFUSED" });
    admit = async () => undefined;
    expect(await tryToJoin({ key: PrivateKey.generate() }).catch((error) => error)).toMatchObject({
      code: "JOIN_REFUSED",
    });
    const { certificate } = await tryToJoin();
    expect(parseCertificate(certificate)).toMatchObject({ ok: true });
  });

  test("joins with one key, also when it comes with three at the same moment", async () => {
    const keys = [1, 2, 3].map(() => PrivateKey.generate());
    const outcomes = await Promise.allSettled(keys.map((key) => tryToJoin({ key })));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("does not show it to somebody who is not the operator", async () => {
    const other = issueAuthority(PrivateKey.generate(), CA, {
      notBefore: Date.now() - DAY,
      notAfter: Date.now() + DAY,
    });
    const refused = await tryToJoin({ authorityHash: pinOf(other) }).catch((error) => error);
    expect(refused).toMatchObject({ code: "JOIN_AUTHORITY_UNKNOWN" });
    expect(records.size).toBe(1);
  });

  test("does not show it to somebody who shows the operator's authority and is not signed by it", async () => {
    const [key, other] = [PrivateKey.generate(), PrivateKey.generate()];
    const impostor = issueAuthority(other, CA, { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY });
    let seen = 0;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: leaf(impostor, "paris.operator", key.publicKey()), key: key.pem() },
      fetch: (request) => {
        if (request.method === "POST") seen += 1;
        return new Response(authority.certificate);
      },
    });
    const request = {
      url: `https://127.0.0.1:${server.port}`,
      token: token(),
      authorityHash: pinOf(authority),
      key: files.key(),
    };
    expect(await join(request, askOperator).catch((error) => error)).toMatchObject({ code: "JOIN_UNREACHABLE" });
    expect(seen).toBe(0);
    await server.stop(true);
  });
});

describe("the operator refuses", () => {
  test.each([
    ["another node's name", () => token("edge2"), "not known"],
    ["another secret", () => token("edge1", SECRET.replace("0", "1")), "not known"],
    ["what is no token", () => "nonsense", "NODE.SECRET"],
  ])("%s, and the token stays", async (_, made, said) => {
    const error = await tryToJoin({ token: made() }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "JOIN_REFUSED", message: expect.stringContaining(said) });
    expect(records.size).toBe(1);
  });

  test("a token that has ended", async () => {
    records.set("edge1", { node: "edge1", hash: hash(SECRET), expires: Date.now() - 1, key: undefined });
    expect(await tryToJoin().catch((error) => error)).toMatchObject({
      message: expect.stringContaining("it ended at"),
    });
  });

  test("a node that it does not know yet, and the token stays", async () => {
    check = () => {
      throw new SelvedgeError("Cannot let node in: unknown", {
        code: "JOIN_NODE_REFUSED",
        blame: "user",
        retry: "later",
      });
    };
    expect(await tryToJoin().catch((error) => error)).toMatchObject({ code: "JOIN_REFUSED" });
    check = async () => undefined;
    expect(await tryToJoin()).toMatchObject({ node: "edge1" });
  });

  test("nonsense instead of a request, and the token stays", async () => {
    const answer = await askOperator(`${url}/v1/join`, authority.certificate, { token: token(), body: "nonsense" });
    expect(answer.status).toBe(400);
    expect(records.size).toBe(1);
  });

  test("a body beyond its bound, before reading it", async () => {
    const answer = await askOperator(`${url}/v1/join`, authority.certificate, {
      token: token(),
      body: "x".repeat(100_000),
    });
    expect(answer.status).toBe(413);
  });
});

test("a key that is there is kept; what it cannot read is not overwritten", () => {
  const first = files.key();
  expect(files.key().publicKey()).toEqual(first.publicKey());
  writeFileSync(joinPath(folder, "tls/tls.key"), "damaged");
  expect(() => files.key()).toThrow("Cannot use the private key");
  expect(readFileSync(joinPath(folder, "tls/tls.key"), "utf8")).toBe("damaged");
  chmodSync(joinPath(folder, "tls"), 0o700);
  rmSync(joinPath(folder, "tls/tls.key"));
  mkdirSync(joinPath(folder, "tls/tls.key"));
  expect(() => files.key()).toThrow(/^Cannot read .*tls\.key: EISDIR$/);
});
