import { expect, test } from "bun:test";
import { fuzzDns } from "./dns.ts";

const CASES = 100_000;

test("the DNS server survives 100,000 mutated packets, and answers only queries", async () => {
  const report = await fuzzDns(CASES, 20_261_121);
  // Mutation that leaves nothing to answer, or nothing to drop, would prove little.
  expect(report.answered).toBeGreaterThan(CASES / 4);
  expect(report.dropped).toBeGreaterThan(CASES / 4);
  expect(report.decoded).toBeGreaterThan(CASES / 20);
}, 60_000);
