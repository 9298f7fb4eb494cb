import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorText } from "../../src/base/errors.ts";
import { CaseMemory } from "./case-memory.ts";
import { readCorpus } from "./corpus.ts";
import { fuzz } from "./fuzzing.ts";
import { withoutNumbers } from "./property.ts";
import { shrink } from "./shrink.ts";
import type { FuzzTarget } from "./target.ts";

/** What a run prints: the report of an unbroken decoder, or the case that broke it. */
export interface RunOutput {
  readonly outcomes?: Readonly<Record<string, number>>;
  readonly broken?: { readonly why: string; readonly hex: string; readonly shrunkHex: string };
}

export async function loadTarget(name: string): Promise<FuzzTarget> {
  const { target } = (await import(`./targets/${name}.ts`)) as { readonly target: FuzzTarget };
  return target;
}

async function runTarget(name: string, cases: number, seed: number, memory: string): Promise<RunOutput> {
  const target = await loadTarget(name);
  const cell = CaseMemory.create(memory, target.mostBytes);
  const corpus = readCorpus(name).map(({ bytes }) => bytes);
  try {
    return { outcomes: (await fuzz(target, corpus, cases, seed, cell)).outcomes };
  } catch (error) {
    const last = cell.last;
    const kind = withoutNumbers(errorText(error)).slice(0, 40);
    const shrunk = await shrink(last, async (input) => {
      try {
        await target.run(cell.put(input));
        return false;
      } catch (other) {
        return withoutNumbers(errorText(other)).slice(0, 40) === kind;
      }
    });
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { broken: { why, hex: last.toHex(), shrunkHex: shrunk.toHex() } };
  }
}

/** `bun test/fuzz/run.ts TARGET [CASES [SEED [MEMORY-FILE]]]` */
if (import.meta.main) {
  const [name = "", cases = "1000000", seed = "1", memory] = process.argv.slice(2);
  const file = memory ?? join(tmpdir(), `selvedge-fuzz-${process.pid}`);
  const output = await runTarget(name, Number(cases), Number(seed), file);
  if (memory === undefined) rmSync(file);
  console.log(JSON.stringify(output));
  process.exit(output.broken === undefined ? 0 : 1);
}
