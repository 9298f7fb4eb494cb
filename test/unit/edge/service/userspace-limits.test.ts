import { expect, test } from "bun:test";
import { CONNECTIONS_LIMIT, planLimits, SESSIONS_LIMIT } from "../../../../edge/service/userspace-limits.ts";

test("callers get all that they may with the descriptors of the unit", () => {
  expect(planLimits(65_536)).toEqual({ connections: CONNECTIONS_LIMIT, sessions: SESSIONS_LIMIT });
  expect(planLimits(Number.POSITIVE_INFINITY)).toEqual({ connections: CONNECTIONS_LIMIT, sessions: SESSIONS_LIMIT });
});

test.each([64, 256, 1024, 4096, 20_000])("of %d descriptors some are left for the rest of the agent", (descriptors) => {
  const { connections, sessions } = planLimits(descriptors);
  expect(connections).toBeGreaterThan(0);
  expect(sessions).toBeGreaterThan(0);
  expect(2 * connections + sessions).toBeLessThanOrEqual(descriptors - Math.min(1024, descriptors / 2));
});
