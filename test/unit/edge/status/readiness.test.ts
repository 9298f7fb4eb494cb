import { describe, expect, test } from "bun:test";
import { answerProbe, checkReadiness } from "../../../../edge/status/readiness.ts";
import type { Condition, Severity } from "../../../../src/base/health.ts";

function condition(component: string, severity: Severity): Condition {
  return { code: "PORT_IN_USE", component, severity, message: "Cannot listen", hint: "", since: 0 };
}

const RUNNING = { name: "dns", state: "running" } as const;

describe("readiness", () => {
  test("a running component without a failure is ready, degraded or not", () => {
    expect(checkReadiness([RUNNING], [])).toEqual([{ name: "dns", ok: true, reason: "" }]);
    expect(checkReadiness([RUNNING], [condition("dns", "degraded")])[0]?.ok).toBe(true);
    expect(checkReadiness([RUNNING], [condition("dns", "info")])[0]?.ok).toBe(true);
  });

  test("a failed condition speaks for its own component only", () => {
    expect(checkReadiness([RUNNING], [condition("dns", "failed")])).toEqual([
      { name: "dns", ok: false, reason: "PORT_IN_USE: Cannot listen" },
    ]);
    expect(checkReadiness([RUNNING], [condition("source", "failed")])[0]?.ok).toBe(true);
  });

  test("a starting component is not ready, a disabled one is not asked", () => {
    expect(checkReadiness([{ name: "dns", state: "starting" }], [])[0]?.ok).toBe(false);
    expect(checkReadiness([{ name: "dns", state: "disabled" }], [condition("dns", "failed")])).toEqual([]);
  });
});

describe("probes", () => {
  const checks = [
    { name: "service", ok: true, reason: "" },
    { name: "dns", ok: false, reason: "PORT_IN_USE: Cannot listen" },
  ];
  const query = (verbose: boolean, ...exclude: readonly string[]) => ({ verbose, exclude: new Set(exclude) });

  test("success is the word ok", () => {
    expect(answerProbe("readyz", checks.slice(0, 1), query(false))).toEqual({ status: 200, body: "ok" });
  });

  test("a failure names every check, asked for or not", () => {
    expect(answerProbe("readyz", checks, query(false))).toEqual({
      status: 503,
      body: "[+]service ok\n[-]dns failed: PORT_IN_USE: Cannot listen\nreadyz check failed\n",
    });
  });

  test("an excluded check does not count, and an unknown one is said", () => {
    expect(answerProbe("readyz", checks, query(true, "dns", "etcd"))).toEqual({
      status: 200,
      body: '[+]service ok\n[+]dns excluded: ok\nwarn: some health checks cannot be excluded: no matches for "etcd"\nreadyz check passed\n',
    });
  });
});
