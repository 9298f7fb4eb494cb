import { describe, expect, test } from "bun:test";
import { AUTHORITY_LIFE, planAuthority } from "../../../../cloud/operator/authority-plan.ts";
import {
  reportAuthority,
  reportUnusableAuthority,
  tellAuthorityStep,
} from "../../../../cloud/operator/authority-report.ts";
import { readSigner } from "../../../../cloud/operator/certificates.ts";
import { issueAuthority } from "../../../../src/certificate/issue.ts";
import { PrivateKey } from "../../../../src/certificate/private-key.ts";
import { CA, CertificateWorld, DAY, START } from "../../../support/certificate-world.ts";

/** FabEdge's, of a year, with its successor once that is due. */
function at(day: number) {
  const key = PrivateKey.generate();
  const fabedge = issueAuthority(key, CA, { notBefore: START, notAfter: START + 365 * DAY });
  const world = new CertificateWorld();
  world.authority = { "ca.crt": fabedge.certificate, "ca.key": key.pem() };
  world.held = true;
  world.live(START + day * DAY);
  return { state: world.signer().state, now: START + day * DAY };
}

describe("an authority", () => {
  test("of which nothing is to be said has no problems", () => {
    const early = at(100);
    expect(reportAuthority(early.state, ["e1"], early.now)).toEqual([]);
    const late = at(200);
    expect(reportAuthority(late.state, [], late.now)).toEqual([]);
  });

  test("whose successor waits says for whom, until when, and when it ends itself", () => {
    const { state, now } = at(200);
    const nodes = ["e1", "e2", "e3", "e4", "e5", "e6", "e7"];
    expect(reportAuthority(state, nodes, now)).toEqual([
      expect.objectContaining({
        code: "AUTHORITY_HELD",
        severity: "degraded",
        message:
          "Cannot let the next authority sign before 2026-12-02 as FabEdge's agents of e1, e2, e3, e4, e5 and 2 more do not know it; the one that signs ends on 2027-01-01",
      }),
    ]);
  });

  test("that has ended says so, and its replacement tells what to do", () => {
    const { state } = at(100);
    const now = START + 366 * DAY;
    expect(reportAuthority(state, ["e1"], now)).toMatchObject([{ code: "AUTHORITY_ENDED", severity: "failed" }]);
    const step = planAuthority(state, now);
    if (step.step === "keep") throw new Error("it is kept");
    expect(tellAuthorityStep(step, state, now)).toMatchObject({
      type: "Warning",
      reason: "AuthorityMade",
      note: expect.stringContaining("Start FabEdge's agents and connectors again"),
    });
    expect(tellAuthorityStep(step, undefined, now).type).toBe("Normal");
  });

  test("that replaced one that had ended says so until a person has seen to it, or a week has passed", () => {
    const world = new CertificateWorld();
    world.live(START);
    const now = START + AUTHORITY_LIFE + DAY;
    world.live(now);
    expect(reportAuthority(world.signer().state, ["e1"], now)).toEqual([
      {
        code: "AUTHORITY_REPLACED",
        severity: "degraded",
        message:
          "Cannot reach whoever has not heard of the new authority as the one before had ended on 2036-01-01, among them the agents of e1",
        hint: "Start FabEdge's agents and connectors again where they still run, and make new join tokens; then take previous.crt out of the authority's Secret, or wait until 2036-01-09, when this is no longer said.",
      },
    ]);
    const { "previous.crt": _seen, ...rest } = world.authority;
    expect(reportAuthority(readSigner(rest)?.state ?? world.signer().state, [], now)).toEqual([]);
  });

  test("that cannot be used says why", () => {
    const unusable = () => readSigner({ "ca.crt": "rubbish", "ca.key": PrivateKey.generate().pem() });
    try {
      unusable();
      throw new Error("it is usable");
    } catch (error) {
      expect(reportUnusableAuthority(error)).toMatchObject([{ code: "CA_INVALID", severity: "failed" }]);
    }
  });
});
