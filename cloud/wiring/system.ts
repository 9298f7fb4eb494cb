import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { LogSink } from "../../src/base/log.ts";
import type { Fetch } from "../../src/kube/client.ts";
import type { ReadText } from "../../src/kube/source.ts";

/** The process and its machine, as `main` hands them in. */
export interface System {
  readonly clock: Clock;
  readonly random: Random;
  /** A UUID that nobody can foretell. */
  readonly newUuid: () => string;
  /** From the cryptographic generator, in lower-case hexadecimal. */
  readonly randomHex: (bytes: number) => string;
  /** SHA-256 in lower-case hexadecimal. */
  readonly hash: (text: string) => string;
  readonly hostname: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: Fetch;
  readonly readText: ReadText;
  readonly fileExists: (path: string) => boolean;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Lines of JSON on standard error. */
  readonly log: LogSink;
}
