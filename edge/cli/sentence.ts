import { errorText, SelvedgeError } from "../../src/base/errors.ts";

/** For a person: our own sentences say it all; a foreign error's causes may hold what matters. */
export function sentenceOf(error: unknown): string {
  return error instanceof SelvedgeError ? error.message : errorText(error);
}
