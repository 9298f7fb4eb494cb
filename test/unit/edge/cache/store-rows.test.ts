import { expect, test } from "bun:test";
import { stateOf } from "../../../../edge/cache/store-rows.ts";

const watermark = (kind: string, body: string) => ({ id: `watermark ${kind}`, uid: "", version: "7", body });

test("a time that another version has written otherwise is no time, and costs only its own kind", () => {
  const facts = [watermark("Service", "1763700000000"), watermark("Node", "2026-11-21"), watermark("Endpoints", "")];
  expect(stateOf({ tombstones: [], facts }).watermarks).toEqual(
    new Map([["Service", { trustedVersion: "7", listedAt: 1_763_700_000_000 }]]),
  );
});
