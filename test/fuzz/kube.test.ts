import { expect, test } from "bun:test";
import { fuzzKube } from "./kube.ts";

const CASES = 50_000;

test("lists, watches and objects survive 50,000 mutations", () => {
  const report = fuzzKube(CASES, 20_261_121);
  // Mutation that leaves nothing to read, or nothing to refuse, would prove little.
  expect(report.read).toBeGreaterThan(CASES / 4);
  expect(report.rejected).toBeGreaterThan(CASES / 10);
  expect(report.wholeLists).toBeGreaterThan(CASES / 10);
}, 60_000);
