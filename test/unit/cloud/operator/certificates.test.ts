import { describe, expect, test } from "bun:test";
import {
  AUTHORITY_LIFE,
  BACKDATE,
  LEAF_LIFE,
  OVERLAP,
  planAuthority,
  trustBundle,
} from "../../../../cloud/operator/authority-plan.ts";
import {
  readLeaf,
  readSigner,
  type SecretTexts,
  type Signer,
  takeAuthorityStep,
  takeLeafStep,
} from "../../../../cloud/operator/certificates.ts";
import type { DesiredCertificate } from "../../../../cloud/operator/document.ts";
import { planLeaf } from "../../../../cloud/operator/leaf-plan.ts";
import { hours } from "../../../../src/base/duration.ts";
import { isSignedBy, parseBundle, parseCertificate } from "../../../../src/certificate/certificate.ts";
import { issueAuthority } from "../../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../../src/certificate/private-key.ts";

const DAY = hours(24);
const START = Date.UTC(2026, 0, 1);
const CA = { country: "CN", organization: "fabedge.io", commonName: "Fabedge CA" };

function wanted(commonName: string, over: Partial<DesiredCertificate> = {}): DesiredCertificate {
  return {
    kind: "Secret",
    namespace: "fabedge",
    name: `fabedge-agent-tls-${commonName}`,
    labels: {},
    owner: undefined,
    organization: "fabedge.io",
    commonName,
    dnsNames: [commonName],
    ips: ["192.168.9.7"],
    ...over,
  };
}

/** The operator's two Secrets as days go by. */
class World {
  authority: SecretTexts = {};
  leaf: SecretTexts = {};
  readonly steps: string[] = [];
  keyIsOnNode = false;

  signer(): Signer {
    const signer = readSigner(this.authority);
    if (signer === undefined) throw new Error("there is no authority");
    return signer;
  }

  async live(now: number, leaf = wanted("paris.e1")): Promise<void> {
    for (;;) {
      const step = planAuthority(readSigner(this.authority)?.state, now);
      const after = await takeAuthorityStep(step, this.authority, "fabedge.io", now);
      if (after === undefined) break;
      this.authority = after;
      this.steps.push(step.step);
    }
    const signer = this.signer();
    const state = this.leaf["tls.crt"] === undefined ? undefined : readLeaf(this.leaf, this.keyIsOnNode, signer);
    const step = planLeaf(leaf, state, trustBundle(signer.state), now);
    const after = await takeLeafStep(step, leaf, this.leaf, signer, now);
    if (after !== undefined) {
      this.leaf = after;
      this.steps.push(step.step);
    }
  }

  certificate() {
    const read = parseCertificate(this.leaf["tls.crt"] ?? "");
    if (!read.ok) throw new Error(read.error.why);
    return read.value;
  }
}

/** Whether a peer that trusts `bundle` takes the certificate at that moment. */
function takes(bundle: string, leaf: World, now: number): boolean {
  const certificate = leaf.certificate();
  const authorities = parseBundle(bundle);
  if (!authorities.ok || now < certificate.notBefore || now > certificate.notAfter) return false;
  return authorities.value.some(
    (authority) => now <= authority.notAfter && now >= authority.notBefore && isSignedBy(certificate, authority),
  );
}

describe("over twenty-five years", () => {
  test("a node whose files are six days old takes every certificate, and every node takes its", async () => {
    const world = new World();
    const bundles: { readonly bundle: string; readonly leaf: SecretTexts }[] = [];
    for (let day = 0; day < 25 * 365; day += 3) {
      const now = START + day * DAY;
      await world.live(now);
      bundles.push({ bundle: world.leaf["ca.crt"] ?? "", leaf: world.leaf });
      const late = bundles.at(-3) ?? bundles[0];
      const lateWorld = new World();
      lateWorld.leaf = late?.leaf ?? {};
      if (!takes(late?.bundle ?? "", world, now))
        throw new Error(`day ${day}: a late node refuses a fresh certificate`);
      if (!takes(world.leaf["ca.crt"] ?? "", lateWorld, now)) throw new Error(`day ${day}: a late node's is refused`);
      bundles.splice(0, Math.max(0, bundles.length - 3));
    }
    expect(world.steps.filter((step) => step === "create")).toHaveLength(1);
    expect(world.steps.filter((step) => step === "switch")).toHaveLength(3);
    expect(world.steps.filter((step) => step === "forget").length).toBeGreaterThanOrEqual(2);
    // Every sixty days or so, and at each change of authority.
    expect(world.steps.filter((step) => step === "issue").length).toBeWithin(140, 180);
  }, 120_000);
});

describe("an authority", () => {
  test("of FabEdge's, with a year to live, is adopted as it stands and succeeded in time", async () => {
    const key = PrivateKey.generate();
    const fabedge = await issueAuthority(key, CA, { notBefore: START, notAfter: START + 365 * DAY });
    const world = new World();
    world.authority = { "ca.crt": fabedge.certificate, "ca.key": key.pem() };
    await world.live(START + 100 * DAY);
    expect(world.authority["ca.crt"]).toBe(fabedge.certificate);
    await world.live(START + 186 * DAY);
    expect(world.steps).toEqual(["issue", "prepare", "issue"]);
    expect(parseBundle(world.leaf["ca.crt"] ?? "")).toMatchObject({ ok: true, value: { length: 2 } });
    await world.live(START + 186 * DAY + OVERLAP - 1);
    expect(world.authority["ca.crt"]).toBe(fabedge.certificate);
    await world.live(START + 186 * DAY + OVERLAP);
    expect(world.signer().state.previous?.pem).toBe(fabedge.certificate);
    expect(takes(world.leaf["ca.crt"] ?? "", world, START + 195 * DAY)).toBe(true);
  });

  test("that has ended is replaced at once, whatever that breaks: it is broken already", async () => {
    const world = new World();
    await world.live(START);
    await world.live(START + AUTHORITY_LIFE + DAY);
    expect(world.steps).toEqual(["create", "issue", "create", "issue"]);
    expect(takes(world.leaf["ca.crt"] ?? "", world, START + AUTHORITY_LIFE + DAY)).toBe(true);
  });

  test("whose key is another's stops all issuing, with the reason", async () => {
    const world = new World();
    await world.live(START);
    const data = { ...world.authority, "ca.key": PrivateKey.generate().pem() };
    expect(() => readSigner(data)).toThrow("ca.key is not the key of ca.crt");
    expect(() => readSigner({ ...data, "ca.crt": "nonsense" })).toThrow("ca.crt holds no certificate");
    expect(() => readSigner({ ...world.authority, "ca.crt": world.leaf["tls.crt"] })).toThrow("no authority's");
  });
});

describe("a certificate", () => {
  test("keeps while nothing changes, and is renewed near two thirds of its life with a new key", async () => {
    const world = new World();
    await world.live(START);
    const first = world.leaf;
    await world.live(START + 0.55 * LEAF_LIFE);
    expect(world.leaf).toBe(first);
    await world.live(START + 0.75 * LEAF_LIFE);
    expect(world.leaf["tls.key"]).not.toBe(first["tls.key"]);
    expect(world.certificate().notAfter).toBe(START + 1.75 * LEAF_LIFE);
  });

  test("of nodes that were made together is not renewed together", async () => {
    const world = new World();
    await world.live(START);
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

  test("whose node keeps the key is renewed for the same key", async () => {
    const world = new World();
    await world.live(START);
    const { publicKeyHash } = world.certificate();
    world.keyIsOnNode = true;
    world.leaf = { "tls.crt": world.leaf["tls.crt"], "ca.crt": world.leaf["ca.crt"] };
    await world.live(START + 80 * DAY);
    expect(world.certificate().publicKeyHash).toBe(publicKeyHash);
    expect(world.certificate().notBefore).toBe(START + 80 * DAY - BACKDATE);
    expect(Object.keys(world.leaf)).not.toContain("tls.key");
  });

  test.each([
    ["another name", wanted("paris.e2"), {}],
    ["another address", wanted("paris.e1", { ips: ["192.168.9.8"] }), {}],
    ["no key", wanted("paris.e1"), { "tls.key": undefined }],
    ["another's key", wanted("paris.e1"), { "tls.key": PrivateKey.generate().pem() }],
    ["rubbish", wanted("paris.e1"), { "tls.crt": "rubbish" }],
  ])("with %s is issued again", async (_, leaf, damage) => {
    const world = new World();
    await world.live(START);
    world.leaf = { ...world.leaf, ...damage };
    await world.live(START + DAY, leaf);
    expect(world.steps).toEqual(["create", "issue", "issue"]);
  });

  test("never outlives its authority", async () => {
    const key = PrivateKey.generate();
    const { certificate } = await issueAuthority(key, CA, { notBefore: START, notAfter: START + 30 * DAY });
    const world = new World();
    world.authority = { "ca.crt": certificate, "ca.key": key.pem() };
    await world.live(START + DAY);
    expect(world.certificate().notAfter).toBe(START + 30 * DAY);
  });
});
