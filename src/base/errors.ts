import type { Duration } from "./duration.ts";

/** Who has to act on an error: the person who configured us, a program we talk to, this machine, or we. */
export type Blame = "user" | "peer" | "host" | "us";

/** Whether trying again can help, and when. */
export type Retry = "never" | "later" | "now";

export interface ErrorDetails {
  readonly code: string;
  readonly blame: Blame;
  readonly retry: Retry;
  /** What a person should do, one sentence. */
  readonly hint?: string;
  /** How long the other side asks to be left alone. */
  readonly after?: Duration;
  readonly cause?: unknown;
}

/**
 * The only error class. Text reads "Cannot X as Y: current value is Z"; programs compare `code`, never text.
 * Codes are listed with their hints in docs/errors.md.
 */
export class SelvedgeError extends Error {
  readonly code: string;
  readonly blame: Blame;
  readonly retry: Retry;
  readonly hint: string | undefined;
  readonly after: Duration | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SelvedgeError";
    this.code = details.code;
    this.blame = details.blame;
    this.retry = details.retry;
    this.hint = details.hint;
    this.after = details.after;
  }
}

/** The code of any thrown value; foreign errors (Node's `errno` names among them) keep theirs. */
export function errorCode(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return "UNKNOWN";
}

/** One line for a person: the message and the messages of its causes, as far as it does not have them in it. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return `${error.message} (${error.errors.map(errorText).join("; ")})`;
  const cause = error.cause === undefined ? "" : errorText(error.cause);
  return error.message.includes(cause) ? error.message : `${error.message} (${cause})`;
}
