import { describe, expect, test } from "bun:test";
import { judgeTimes } from "../../../../edge/identity/validity.ts";
import { hours, minutes } from "../../../../src/base/duration.ts";
import { readCredentials } from "../../../../src/certificate/fabric-credentials.ts";
import { ISSUED, LIFE, makeAuthority, makeCredentials } from "../../../support/node-credentials.ts";

const DAY = hours(24);
const AUTHORITY = makeAuthority();
const YEARS = { notBefore: ISSUED, notAfter: ISSUED + 3650 * DAY };

function judge(wall: number, validity = LIFE, authority = AUTHORITY) {
  const made = makeCredentials(authority, "paris.e1", { validity });
  const read = readCredentials(made, made.key);
  if (!read.ok) throw new Error(read.error.why);
  return judgeTimes(read.value, wall);
}

const codes = (...given: Parameters<typeof judge>) => judge(...given).map(({ code }) => code);

describe("a certificate of 90 days", () => {
  test("is worth no word until two weeks before its end, long after it should have been renewed", () => {
    expect(codes(ISSUED)).toEqual([]);
    expect(codes(ISSUED + 61 * DAY)).toEqual([]);
    expect(codes(ISSUED + 75.9 * DAY)).toEqual([]);
    expect(codes(ISSUED + 76 * DAY)).toEqual(["CERTIFICATE_ENDING"]);
  });

  test("says how long it has, and that it has ended", () => {
    const [ending] = judge(ISSUED + 89 * DAY + hours(20));
    expect(ending?.message).toBe(
      "Cannot go on for longer than 4h0m as this node's certificate ends at 2026-04-01T00:00:00.000Z",
    );
    const [ended] = judge(ISSUED + 90 * DAY);
    expect(ended).toMatchObject({ code: "CERTIFICATE_ENDED", severity: "degraded" });
    expect(ended?.message).toStartWith("Cannot prove who this node is as this node's certificate ended at 2026-04-01");
  });
});

test("one of ten years is worth no word for ten years less two weeks", () => {
  const ages = makeAuthority("Fabedge CA", YEARS);
  expect(codes(ISSUED + 3600 * DAY, YEARS, ages)).toEqual([]);
  expect(codes(ISSUED + 3640 * DAY, YEARS, ages)).toEqual(["CERTIFICATE_ENDING"]);
});

test("one of an hour is told of in its last ten minutes", () => {
  const hour = { notBefore: ISSUED, notAfter: ISSUED + hours(1) };
  expect(codes(ISSUED + minutes(49), hour)).toEqual([]);
  expect(codes(ISSUED + minutes(51), hour)).toEqual(["CERTIFICATE_ENDING"]);
});

test("FabEdge's authority of a year ends all that it has signed for ten", () => {
  const year = makeAuthority("Fabedge CA", { notBefore: ISSUED, notAfter: ISSUED + 365 * DAY });
  const [finding] = judge(ISSUED + 366 * DAY, YEARS, year);
  expect(finding?.code).toBe("CERTIFICATE_ENDED");
  expect(finding?.message).toContain('the authority "C=CN, O=fabedge.io, CN=Fabedge CA" ended at 2027-01-01');
});

describe("a clock without a battery", () => {
  test("is not believed when it shows less than the certificate does", () => {
    const [finding, ...more] = judge(0);
    expect(more).toEqual([]);
    expect(finding?.code).toBe("CLOCK_BEHIND");
    expect(finding?.message).toContain("it shows 1970-01-01T00:00:00.000Z");
  });

  test("does not hide that the certificate had ended when its renewal by a new authority was signed", () => {
    const later = makeAuthority("Fabedge CA", { notBefore: ISSUED + 100 * DAY, notAfter: ISSUED + 3650 * DAY });
    expect(codes(0, LIFE, later)).toEqual(["CERTIFICATE_ENDED", "CLOCK_BEHIND"]);
  });
});
