import { describe, expect, test } from "bun:test";
import { AUTHORITY_LIFE, OVERLAP, untilNextStep } from "../../../../cloud/operator/authority-plan.ts";
import { readSigner } from "../../../../cloud/operator/certificates.ts";
import { parseBundle } from "../../../../src/certificate/certificate.ts";
import { issueAuthority } from "../../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../../src/certificate/private-key.ts";
import { CA, CertificateWorld, DAY, START, takes } from "../../../support/certificate-world.ts";

describe("an authority", () => {
  test("of FabEdge's, with a year to live, is adopted as it stands and succeeded in time", () => {
    const key = PrivateKey.generate();
    const fabedge = issueAuthority(key, CA, { notBefore: START, notAfter: START + 365 * DAY });
    const world = new CertificateWorld();
    world.authority = { "ca.crt": fabedge.certificate, "ca.key": key.pem() };
    world.live(START + 100 * DAY);
    expect(world.authority["ca.crt"]).toBe(fabedge.certificate);
    world.live(START + 186 * DAY);
    expect(world.steps).toEqual(["issue", "prepare", "issue"]);
    expect(parseBundle(world.leaf["ca.crt"] ?? "")).toMatchObject({ ok: true, value: { length: 2 } });
    world.live(START + 186 * DAY + OVERLAP - 1);
    expect(world.authority["ca.crt"]).toBe(fabedge.certificate);
    world.live(START + 186 * DAY + OVERLAP);
    expect(world.signer().state.previous?.pem).toBe(fabedge.certificate);
    expect(takes(world.leaf["ca.crt"] ?? "", world, START + 195 * DAY)).toBe(true);
  });

  test("whose successor FabEdge's agents do not know signs until a month before its end, or until they are gone", () => {
    const key = PrivateKey.generate();
    const fabedge = issueAuthority(key, CA, { notBefore: START, notAfter: START + 365 * DAY });
    const world = new CertificateWorld();
    world.authority = { "ca.crt": fabedge.certificate, "ca.key": key.pem() };
    world.held = true;
    const day = (n: number) => START + n * DAY;
    for (let n = 186; n < 335; n++) {
      world.live(day(n));
      // Whoever knows the old one alone takes every certificate.
      expect(takes(fabedge.certificate, world, day(n))).toBe(true);
    }
    expect(untilNextStep(world.signer().state, day(334), true)).toBe(DAY);
    const moved = new CertificateWorld();
    moved.authority = world.authority;
    moved.live(day(300));
    expect(moved.steps).toEqual(["switch", "issue"]);
    world.live(day(335));
    expect(world.steps.slice(-2)).toEqual(["switch", "issue"]);
  });

  test("that ends within the month has its successor sign after the week in which it gets known", () => {
    const key = PrivateKey.generate();
    const fabedge = issueAuthority(key, CA, { notBefore: START, notAfter: START + 20 * DAY });
    const world = new CertificateWorld();
    world.authority = { "ca.crt": fabedge.certificate, "ca.key": key.pem() };
    world.held = true;
    world.live(START + DAY);
    world.live(START + 8 * DAY - 1);
    expect(world.steps).toEqual(["prepare", "issue"]);
    world.live(START + 8 * DAY);
    expect(world.steps.slice(2)).toEqual(["switch", "issue"]);
  });

  test("that has ended is replaced at once, whatever that breaks: it is broken already", () => {
    const world = new CertificateWorld();
    world.live(START);
    world.live(START + AUTHORITY_LIFE + DAY);
    expect(world.steps).toEqual(["create", "issue", "create", "issue"]);
    expect(takes(world.leaf["ca.crt"] ?? "", world, START + AUTHORITY_LIFE + DAY)).toBe(true);
  });

  test("that had ended before it was replaced is remembered for a week, and trusted by nobody", () => {
    const world = new CertificateWorld();
    world.live(START);
    const ended = world.authority["ca.crt"] ?? "";
    const replaced = START + AUTHORITY_LIFE + DAY;
    world.live(replaced);
    expect(world.signer().state.previous?.pem).toBe(ended);
    expect(parseBundle(world.leaf["ca.crt"] ?? "")).toMatchObject({ ok: true, value: { length: 1 } });
    expect(untilNextStep(world.signer().state, replaced)).toBe(OVERLAP);
    world.live(replaced + OVERLAP - 1);
    expect(world.signer().state.previous?.pem).toBe(ended);
    world.live(replaced + OVERLAP);
    expect(world.steps.slice(2)).toEqual(["create", "issue", "forget"]);
    expect(world.signer().state.previous).toBeUndefined();
  });

  test("whose key is another's stops all issuing, with the reason", () => {
    const world = new CertificateWorld();
    world.live(START);
    const data = { ...world.authority, "ca.key": PrivateKey.generate().pem() };
    expect(() => readSigner(data)).toThrow("ca.key is not the key of ca.crt");
    expect(() => readSigner({ ...data, "ca.crt": "nonsense" })).toThrow("ca.crt holds no certificate");
    expect(() => readSigner({ ...world.authority, "ca.crt": world.leaf["tls.crt"] })).toThrow("no authority's");
  });
});
