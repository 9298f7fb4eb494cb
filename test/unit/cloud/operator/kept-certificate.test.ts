import { expect, test } from "bun:test";
import { keepCertificate, pemOf } from "../../../../cloud/operator/kept-certificate.ts";
import { toPem } from "../../../../src/certificate/pem.ts";
import { makeAuthority, makeCredentials } from "../../../support/node-credentials.ts";

const { certificates: PEM } = makeCredentials(makeAuthority(), "paris.e1");

test("a certificate takes half of its text, and comes back to the letter", () => {
  const kept = keepCertificate(PEM);
  expect(kept.length).toBeLessThan(0.75 * PEM.length);
  expect(pemOf(kept)).toBe(PEM);
});

test.each([
  ["nothing", ""],
  ["a text around it", `subject=x\n${PEM}`],
  ["two of them", PEM + PEM],
  ["longer lines", PEM.replace(/(.{64})\n/, "$1")],
  ["bytes that look like it", toPem("CERTIFICATE", Buffer.from(PEM))],
])("of what is %s nothing is lost", (_, text) => {
  expect(pemOf(keepCertificate(text))).toBe(text);
});

test("of what is no certificate nothing is kept", () => {
  expect(keepCertificate("0123")).toBe("");
});
