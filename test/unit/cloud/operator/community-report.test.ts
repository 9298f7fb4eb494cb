import { describe, expect, test } from "bun:test";
import { REPORTED_MEMBERS_LIMIT, reportCommunity } from "../../../../cloud/operator/community-report.ts";
import { COMMUNITY_MEMBERS_LIMIT, Membership } from "../../../../cloud/operator/membership.ts";

const LOOKUP = {
  usable: (name: string) => name.startsWith("paris.e"),
  known: (name: string) => name.startsWith("paris."),
  meant: (name: string) => (name === "e1" ? "paris.e1" : undefined),
};

function report(members: readonly string[]) {
  const membership = new Membership();
  membership.set("c", { name: "c", members, generation: 7 });
  const found = reportCommunity("c", membership, LOOKUP);
  if (found === undefined) throw new Error("no report");
  return { ...found, codes: found.problems.map((problem) => problem.code) };
}

describe("a community's report", () => {
  test("says of each member whether it is connected", () => {
    expect(report(["paris.e1", "paris.e2"])).toMatchObject({
      generation: 7,
      memberCount: 2,
      readyCount: 2,
      members: [
        { name: "paris.e1", state: "Ready" },
        { name: "paris.e2", state: "Ready" },
      ],
      codes: [],
    });
  });

  test("names nobody", () => {
    expect(report([]).codes).toEqual(["COMMUNITY_ALONE"]);
    expect(report(["paris.e1"]).problems[0]).toMatchObject({ severity: "failed" });
  });

  test("names somebody twice: it counts once, and is said", () => {
    const { codes, memberCount, problems } = report(["paris.e1", "paris.e2", "paris.e1"]);
    expect(codes).toEqual(["MEMBER_TWICE"]);
    expect(memberCount).toBe(2);
    expect(problems[0]?.message).toContain("paris.e1");
  });

  test("names somebody who does not exist, or whose cluster was left out", () => {
    expect(report(["paris.e1", "paris.e2", "lyon.e9"]).codes).toEqual(["MEMBER_UNKNOWN"]);
    expect(report(["paris.e2", "paris.e3", "e1"]).problems[0]?.hint).toStartWith("Write paris.e1");
  });

  test("names a node with which something is wrong, first of all", () => {
    const { codes, members } = report(["paris.e1", "paris.e2", "paris.wrong"]);
    expect(codes).toEqual(["MEMBER_NOT_READY"]);
    expect(members[0]).toEqual({ name: "paris.wrong", state: "NotReady" });
  });

  test("stays short, however many there are", () => {
    const many = Array.from({ length: COMMUNITY_MEMBERS_LIMIT + 3 }, (_, i) => `lyon.n${i}`);
    const { codes, members, memberCount, problems } = report(many);
    expect(codes).toEqual(["COMMUNITY_ALONE", "MEMBER_UNKNOWN", "COMMUNITY_TOO_LARGE"]);
    expect(members).toHaveLength(REPORTED_MEMBERS_LIMIT);
    expect(memberCount).toBe(COMMUNITY_MEMBERS_LIMIT + 3);
    for (const problem of problems) expect(problem.message.length).toBeLessThan(300);
  });
});
