import { expect, test } from "bun:test";
import { composeStatus, type StatusParts } from "../../../../edge/status/status.ts";
import { FAILED, statusReport } from "../../../support/agent-handlers.ts";

const STARTED = Date.UTC(2026, 10, 21, 5, 0, 0);
const REPORT = statusReport();
const PARTS: StatusParts = {
  version: "0.1.0",
  node: "edge-1",
  pid: 42,
  started: STARTED,
  now: STARTED + 3_725_400,
  components: REPORT.components,
  source: {
    type: "metaserver",
    url: "http://127.0.0.1:10550",
    connected: false,
    lastHeard: STARTED + 60_000,
    kinds: [{ kind: "Service", state: "waiting", objects: 2, lastHeard: STARTED + 60_000 }],
  },
  cache: REPORT.cache,
  service: { ...REPORT.service, lastApplied: STARTED + 60_000 },
  dns: REPORT.dns,
  fabric: { ...REPORT.fabric, certificateEnds: Date.UTC(2027, 1, 19, 5) },
  conditions: [],
};

test("the report is what the parts say, with times and spans for other programs", () => {
  expect(composeStatus(PARTS)).toEqual(statusReport());
});

test("an agent without its cloud is ready; one with a failed component is not", () => {
  expect(composeStatus(PARTS).ready).toBe(true);
  expect(composeStatus({ ...PARTS, conditions: [FAILED] })).toEqual(statusReport([FAILED]));
});

test("a source that was never heard has no staleness, and no span is negative when the clock was set back", () => {
  const never = composeStatus({ ...PARTS, source: { ...PARTS.source, lastHeard: undefined } });
  expect(never.source).toMatchObject({ lastHeard: null, stalenessSeconds: null });
  expect(composeStatus({ ...PARTS, now: 0 })).toMatchObject({
    agent: { uptimeSeconds: 0 },
    source: { stalenessSeconds: 0 },
  });
});
