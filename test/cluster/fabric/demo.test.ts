import { expect, test } from "bun:test";
import { resolve } from "node:path";

/** The demo promises a minute on a machine that does nothing else; here others run beside it. */
const LIMIT = 300_000;

test(
  "the demo of tunnels sees everything as it should be",
  async () => {
    const script = resolve(import.meta.dir, "../../../scripts/demo-tunnels.ts");
    const demo = Bun.spawn([process.execPath, script], { stdout: "pipe" });
    const output = await demo.stdout.text();
    expect(output).not.toContain("✗");
    expect(output).toMatch(/^[1-9]\d* seen as they should be, 0 not, in [\d.]+ m?s\.$/m);
    expect(await demo.exited).toBe(0);
  },
  LIMIT,
);
