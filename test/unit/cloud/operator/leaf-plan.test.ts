import { describe, expect, test } from "bun:test";
import { BACKDATE, LEAF_LIFE } from "../../../../cloud/operator/authority-plan.ts";
import { certifyKey, readLeaf } from "../../../../cloud/operator/certificates.ts";
import { planLeaf } from "../../../../cloud/operator/leaf-plan.ts";
import { hashPublicKey } from "../../../../src/certificate/certificate.ts";
import { issueAuthority } from "../../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../../src/certificate/private-key.ts";
import { CA, CertificateWorld, DAY, START, wanted } from "../../../support/certificate-world.ts";

describe("a certificate", () => {
  test("keeps while nothing changes, and is renewed near two thirds of its life with a new key", () => {
    const world = new CertificateWorld();
    world.live(START);
    const first = world.leaf;
    world.live(START + 0.55 * LEAF_LIFE);
    expect(world.leaf).toBe(first);
    world.live(START + 0.75 * LEAF_LIFE);
    expect(world.leaf["tls.key"]).not.toBe(first["tls.key"]);
    expect(world.certificate().notAfter).toBe(START + 1.75 * LEAF_LIFE);
  });

  test("of nodes that were made together is not renewed together", () => {
    const world = new CertificateWorld();
    world.live(START);
    const { certificate, ...rest } = readLeaf(world.leaf, false, world.signer());
    const due = (at: number) =>
      Array.from({ length: 200 }, (_, i) => wanted(`paris.e${i}`)).filter((leaf) => {
        const own = certificate && { ...certificate, subject: { ...certificate.subject, commonName: leaf.commonName } };
        const state = { ...rest, certificate: own && { ...own, dnsNames: leaf.dnsNames } };
        return planLeaf(leaf, state, rest.bundle, at).step === "issue";
      }).length;
    const life = LEAF_LIFE + BACKDATE;
    const counts = [0.61, 0.65, 0.68, 0.72].map((part) => due(START - BACKDATE + part * life));
    expect(counts[0]).toBe(0);
    expect(counts[1]).toBeWithin(20, 100);
    expect(counts[2]).toBeWithin(80, 180);
    expect(counts[3]).toBe(200);
  });

  test("whose node keeps the key is renewed for the same key", () => {
    const world = new CertificateWorld();
    world.live(START);
    const { publicKeyHash } = world.certificate();
    world.keyIsOnNode = true;
    world.leaf = { "tls.crt": world.leaf["tls.crt"], "ca.crt": world.leaf["ca.crt"] };
    world.live(START + 80 * DAY);
    expect(world.certificate().publicKeyHash).toBe(publicKeyHash);
    expect(world.certificate().notBefore).toBe(START + 80 * DAY - BACKDATE);
    expect(Object.keys(world.leaf)).not.toContain("tls.key");
  });

  test("whose node keeps the key is issued again for it, whatever becomes of the certificate", () => {
    const world = new CertificateWorld();
    world.live(START);
    const key = PrivateKey.generate();
    world.keyIsOnNode = true;
    world.leaf = certifyKey(wanted("paris.e1"), key.publicKey(), world.signer(), START);
    for (const damage of ["rubbish", "", world.authority["ca.crt"]]) {
      world.leaf = { ...world.leaf, "tls.crt": damage };
      world.live(START + DAY);
      expect(world.certificate()).toMatchObject({
        publicKeyHash: hashPublicKey(key.publicKey()),
        subject: { commonName: "paris.e1" },
      });
    }
    world.leaf = { ...world.leaf, "tls.crt": "rubbish", "tls.pub": "rubbish" };
    expect(() => world.live(START + DAY)).toThrow("its Secret no longer tells its key");
  });

  test.each([
    ["another name", wanted("paris.e2"), {}],
    ["another address", wanted("paris.e1", { ips: ["192.168.9.8"] }), {}],
    ["no key", wanted("paris.e1"), { "tls.key": undefined }],
    ["another's key", wanted("paris.e1"), { "tls.key": PrivateKey.generate().pem() }],
    ["rubbish", wanted("paris.e1"), { "tls.crt": "rubbish" }],
  ])("with %s is issued again", (_, leaf, damage) => {
    const world = new CertificateWorld();
    world.live(START);
    world.leaf = { ...world.leaf, ...damage };
    world.live(START + DAY, leaf);
    expect(world.steps).toEqual(["create", "issue", "issue"]);
  });

  test("never outlives its authority", () => {
    const key = PrivateKey.generate();
    const { certificate } = issueAuthority(key, CA, { notBefore: START, notAfter: START + 30 * DAY });
    const world = new CertificateWorld();
    world.authority = { "ca.crt": certificate, "ca.key": key.pem() };
    world.live(START + DAY);
    expect(world.certificate().notAfter).toBe(START + 30 * DAY);
  });
});
