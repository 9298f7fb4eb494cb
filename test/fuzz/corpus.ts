import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const CORPUS = join(import.meta.dir, "corpus");

export interface CorpusCase {
  /** What it is, or what it once broke. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The seeds and regression cases of a target, in the order of their names. */
export function readCorpus(target: string): readonly CorpusCase[] {
  const folder = join(CORPUS, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) }));
}
