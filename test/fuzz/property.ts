import type { DecodeError, Result } from "../../src/base/result.ts";

/** A decoder that broke its contract. */
export class Violation extends Error {}

export function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(what);
}

export function holdSame(actual: unknown, expected: unknown, what: string): void {
  if (Bun.deepEquals(actual, expected)) return;
  throw new Violation(`${what}: ${Bun.inspect(actual)} is not ${Bun.inspect(expected)}`);
}

/** The outcome of a refusal: its reason without the numbers. A place that is an offset lies within the input. */
export function refused(error: DecodeError, input: Uint8Array): string {
  const { at, why } = error;
  hold(typeof at === "string" || (at >= 0 && at <= input.length), `a refusal at ${at} of ${input.length} bytes`);
  return `refused: ${withoutNumbers(why)}`;
}

export function withoutNumbers(text: string): string {
  return text.replace(/\d+/g, "N");
}

export function unwrap<T>(result: Result<T, unknown>, what: string): T {
  if (!result.ok) throw new Violation(`${what} was refused: ${Bun.inspect(result.error)}`);
  return result.value;
}

/** As programs read what they are sent: what is no UTF-8 becomes U+FFFD. */
export function textOf(input: Uint8Array): string {
  return Buffer.prototype.toString.call(input);
}
