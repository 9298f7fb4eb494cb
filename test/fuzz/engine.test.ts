import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CaseMemory } from "./case-memory.ts";
import { fuzz } from "./fuzzing.ts";
import { Mutator } from "./mutator.ts";
import { hold } from "./property.ts";
import { xorshift } from "./random.ts";
import { shrink } from "./shrink.ts";
import type { FuzzTarget } from "./target.ts";

const folder = mkdtempSync(join(tmpdir(), "selvedge-fuzz-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SEEDS = [Uint8Array.of(3, 0, 9, 8, 7), Uint8Array.of(1, 0, 5)];
const CASES = 100_000;

/** A length in two bytes, and so many bytes behind it. */
function decoder(bug: "none" | "no bound" | "one too many" | "loop"): FuzzTarget {
  return {
    mostBytes: 64,
    form: "little-endian",
    run: (input) => {
      if (input.length < 2) return "short";
      const view = new DataView(input.buffer, input.byteOffset);
      const length = view.getUint16(0, true);
      const most = bug === "no bound" ? 0xffff : input.length - (bug === "one too many" ? 1 : 2);
      if (length > most) return "too long";
      let sum = 0;
      let steps = 0;
      for (let at = 2; at < 2 + length; at += bug === "loop" ? view.getUint8(at) & 1 : 1) {
        sum += view.getUint8(at);
        hold(++steps <= input.length, "more steps than bytes");
      }
      return `sum ${sum % 4}`;
    },
  };
}

async function run(target: FuzzTarget, seed = 7) {
  const memory = CaseMemory.create(join(folder, `memory-${seed}`), target.mostBytes);
  return { report: await fuzz(target, SEEDS, CASES, seed, memory), memory };
}

describe("the engine", () => {
  test("lets a decoder pass that keeps its bounds, and makes the same cases from the same seed", async () => {
    const [once, twice, other] = [
      await run(decoder("none")),
      await run(decoder("none")),
      await run(decoder("none"), 8),
    ];
    expect(once.report.outcomes).toEqual(twice.report.outcomes);
    expect(once.report.outcomes).not.toEqual(other.report.outcomes);
    expect(Object.keys(once.report.outcomes)).toContainValues(["short", "too long", "sum 0", "sum 3"]);
    expect(once.memory.begun).toBe(CASES);
  });

  test.each(["no bound", "one too many", "loop"] as const)("finds a decoder with %s", async (bug) => {
    const memory = CaseMemory.create(join(folder, "memory"), 64);
    const run = fuzz(decoder(bug), SEEDS, CASES, 7, memory);
    await expect(run).rejects.toThrow();
    const failing = memory.last;
    expect(() => decoder(bug).run(CaseMemory.create(join(folder, "again"), 64).put(failing))).toThrow();
  });

  test("tries the corpus first and as it is", async () => {
    const seen: string[] = [];
    const memory = CaseMemory.create(join(folder, "memory"), 64);
    const target: FuzzTarget = { ...decoder("none"), run: (input) => String(seen.push(input.toHex()) % 2) };
    await fuzz(target, SEEDS, 2, 7, memory);
    expect(seen).toEqual(SEEDS.map((seed) => seed.toHex()));
  });

  test("shrinks a case to what matters", async () => {
    const input = crypto.getRandomValues(new Uint8Array(300));
    input[100] = 0x42;
    const small = await shrink(input, (candidate) => candidate.includes(0x42));
    expect([...small]).toEqual([0x42]);
  });

  test("keeps within the memory that a target asks for", () => {
    const mutator = new Mutator({ mostBytes: 16, form: "text", words: ["word"] }, xorshift(7));
    const lengths = Array.from(
      { length: 10_000 },
      () => mutator.mutate(Buffer.from("a: [1, 2]\n"), SEEDS[0] ?? input()).length,
    );
    expect(Math.max(...lengths)).toBe(16);
    expect(Math.min(...lengths)).toBe(0);
  });
});

function input(): Uint8Array {
  return new Uint8Array();
}
