import { expect, test } from "bun:test";
import { resolve } from "node:path";

/** What the demo promises to whoever runs it. */
const LIMIT = 60_000;

test(
  "the demo sees everything as it should be",
  async () => {
    const demo = Bun.spawn([process.execPath, resolve(import.meta.dir, "../../scripts/demo.ts")], { stdout: "pipe" });
    const output = await demo.stdout.text();
    expect(output).not.toContain("✗");
    expect(output).toMatch(/^[1-9]\d* seen as they should be, 0 not, in [\d.]+ m?s\.$/m);
    expect(await demo.exited).toBe(0);
  },
  LIMIT,
);
