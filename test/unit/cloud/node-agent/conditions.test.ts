import { describe, expect, test } from "bun:test";
import { judgeEdges, judgeHearing, judgeKernel, TROUBLES } from "../../../../cloud/node-agent/conditions.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { prefix } from "../../../support/network-objects.ts";

const HEARD = {
  ...{ kind: "ConfigMap", objectCount: 1, synced: true, connected: true, error: undefined, heldDeletions: 0 },
  rejected: new Map(),
};
const KEPT = { writes: 0, unreached: [], blocked: [], failures: [], dropping: [] };
const PREFIXES = ["10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"].map(prefix);
const refusal = new SelvedgeError("Cannot add a route", { code: "ENETUNREACH", blame: "host", retry: "later" });

const codes = (troubles: readonly { readonly code: string }[]) => troubles.map(({ code }) => code);

describe("a node-agent's conditions", () => {
  test("are none where all is well", () => {
    expect(judgeHearing(HEARD, false)).toEqual([]);
    expect(judgeEdges({ held: [], whole: true, doubled: [], refused: [] })).toEqual([]);
    expect(judgeKernel(KEPT)).toEqual([]);
  });

  test("say what is not heard, not believed and not read", () => {
    const rejected = new Map([["fabedge/c1", { key: "fabedge/c1", at: "edges", why: "missing" }]]);
    const troubles = judgeHearing({ ...HEARD, connected: false, error: refusal, heldDeletions: 1, rejected }, false);
    expect(codes(troubles)).toEqual([...TROUBLES.hearing]);
    expect(codes(judgeHearing(HEARD, true))).toEqual(["CONNECTORS_DOUBTED"]);
    // Before it has been tried nobody is away.
    expect(judgeHearing({ ...HEARD, connected: false }, false)).toEqual([]);
  });

  test("name a few of what is concerned", () => {
    const troubles = judgeEdges({ held: [], whole: true, doubled: PREFIXES, refused: PREFIXES.slice(0, 1) });
    expect(codes(troubles)).toEqual([...TROUBLES.edges]);
    expect(troubles.map(({ message }) => message.split(": ")[1])).toEqual([
      "10.1.0.0/24, 10.2.0.0/24, 10.3.0.0/24 and 1 more",
      "10.1.0.0/24",
    ]);
  });

  test("say what the kernel did not take", () => {
    const failures = [{ error: refusal }, { error: refusal }].map(({ error }) => error);
    const troubles = judgeKernel({
      ...KEPT,
      unreached: ["c1"],
      blocked: ["10.1.0.0/24"],
      failures,
      dropping: ["ip filter FORWARD"],
    });
    expect(codes(troubles)).toEqual([...TROUBLES.kernel]);
    expect(troubles[2]?.message).toBe("Cannot add a route, and 1 more");
  });
});
