import type { Random } from "../../src/base/backoff.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Fetch } from "../../src/kube/client.ts";
import type { ReadText } from "../../src/kube/source.ts";
import type { Heap } from "../status/heap-keeper.ts";
import type { FromDns, Port, ToDns } from "./dns-messages.ts";

/** The process and its machine, as `main` hands them in. */
export interface System {
  readonly clock: Clock;
  readonly random: Random;
  /** 32 bits from the cryptographic generator. */
  readonly randomWord: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  /** The path of this program's file. */
  readonly executable: string;
  /** "bun 1.4.5 linux arm64". */
  readonly platform: string;
  readonly stderrIsTerminal: boolean;
  readonly fetch: Fetch;
  readonly readText: ReadText;
  /** Bytes of all files in a directory; 0 where there is none. */
  readonly folderSize: (path: string) => number;
  /** The calling thread's. */
  readonly heap: Heap;
  /** Starts this program once more, as a thread that serves names. */
  readonly openDnsThread: () => Port<FromDns, ToDns>;
  /** @returns the signal's name, once the process is asked to end */
  readonly stopRequested: () => Promise<string>;
  /** @returns the first error that nobody caught, in any thread, once there is one: from then on nothing is certain */
  readonly failure: () => Promise<unknown>;
}
