import type { Duration } from "../src/base/duration.ts";
import { errorText } from "../src/base/errors.ts";
import { waitFor } from "../test/lab/wait-for.ts";

export interface Observation {
  readonly holds: boolean;
  /** What was seen, in a few words. */
  readonly saw: string;
}

const [GREEN, RED, DIM, BOLD, PLAIN] =
  process.stdout.isTTY && process.env["NO_COLOR"] === undefined
    ? ["\u001b[32m", "\u001b[31m", "\u001b[2m", "\u001b[1m", "\u001b[0m"]
    : ["", "", "", "", ""];

/** Tells step by step what is done and what was seen, with the time that each took. */
export class Story {
  readonly #started = performance.now();
  #steps = 0;
  #seen = 0;
  #missed = 0;

  step(title: string): void {
    this.#steps++;
    console.log(`\n${BOLD}${String(this.#steps).padStart(2)}. ${title}${PLAIN}`);
  }

  say(text: string): void {
    for (const line of text.trimEnd().split("\n")) console.log(`    ${DIM}${line}${PLAIN}`);
  }

  /** Looks whether a claim holds; an observation that fails is a claim that does not. */
  async see(claim: string, observe: () => Promise<Observation>): Promise<boolean> {
    const started = performance.now();
    const { holds, saw } = await observe().catch((error) => ({ holds: false, saw: errorText(error) }));
    const time = `${DIM}${formatTime(performance.now() - started)}${PLAIN}`;
    console.log(`    ${holds ? `${GREEN}✓` : `${RED}✗`}${PLAIN} ${claim}: ${saw}  ${time}`);
    if (holds) this.#seen++;
    else this.#missed++;
    return holds;
  }

  /** @returns whether everything was as claimed */
  end(): boolean {
    const time = formatTime(performance.now() - this.#started);
    console.log(`\n${this.#seen} seen as they should be, ${this.#missed} not, in ${time}.`);
    return this.#missed === 0;
  }
}

/** The first observation that holds, or the last one before the time is over. */
export async function eventually(observe: () => Promise<Observation>, timeout: Duration): Promise<Observation> {
  let last: Observation = { holds: false, saw: "nothing" };
  await waitFor(
    "it",
    async () => {
      last = await observe();
      return last.holds;
    },
    { timeout },
  ).catch(() => {});
  return last;
}

export function formatTime(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
