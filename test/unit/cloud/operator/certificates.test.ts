import { describe, expect, test } from "bun:test";
import type { SecretTexts } from "../../../../cloud/operator/certificates.ts";
import { CertificateWorld, DAY, START, takes } from "../../../support/certificate-world.ts";

describe("over twenty-five years", () => {
  test("a node whose files are six days old takes every certificate, and every node takes its", () => {
    const world = new CertificateWorld();
    const bundles: { readonly bundle: string; readonly leaf: SecretTexts }[] = [];
    for (let day = 0; day < 25 * 365; day += 3) {
      const now = START + day * DAY;
      world.live(now);
      bundles.push({ bundle: world.leaf["ca.crt"] ?? "", leaf: world.leaf });
      const late = bundles.at(-3) ?? bundles[0];
      const lateWorld = new CertificateWorld();
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
