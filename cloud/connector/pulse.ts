import { type Clock, sleep } from "../../src/base/clock.ts";
import { seconds } from "../../src/base/duration.ts";
import type { Scope } from "../../src/base/scope.ts";

export interface PulseOptions {
  /** A question so small that it may be asked all the time. @throws where nobody answers */
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  /** Somebody answers again after nobody did. */
  readonly onReturn: () => void;
  readonly clock: Clock;
}

/** A connector is one of a few. */
const EVERY = seconds(5);
/** While nobody answers. */
const EVERY_AWAY = seconds(1);

/**
 * Notices that the API server is back after the network was away. A watch does not: what the server has sent meanwhile TCP
 * sends again after pauses that double, so that it comes as long after the network as the network was away.
 */
export function startPulse(options: PulseOptions, scope: Scope): void {
  const beating = beat(options, scope.signal);
  scope.onClose("pulse", () => beating);
}

async function beat({ ask, onReturn, clock }: PulseOptions, signal: AbortSignal): Promise<void> {
  let isAway = false;
  while (!signal.aborted) {
    await sleep(clock, isAway ? EVERY_AWAY : EVERY, signal);
    if (signal.aborted) return;
    try {
      await ask(signal);
      if (isAway) onReturn();
      isAway = false;
    } catch {
      // Why nobody answers is told by the list-watches.
      isAway = true;
    }
  }
}
