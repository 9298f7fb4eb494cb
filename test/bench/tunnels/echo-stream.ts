import type { Duration } from "../../../src/base/duration.ts";
import type { Host } from "../../lab/host.ts";
import { waitFor } from "../../lab/wait-for.ts";

const EVERY_SECONDS = 0.01;
/** Of `ping -D`: "[1732190400.123456] 64 bytes from 10.244.1.10: icmp_seq=7 …". */
const REPLY = /^\[(\d+\.\d+)\] \d+ bytes from \S+ icmp_seq=(\d+)/gm;

export interface Heard {
  /** Until so many more replies have come. */
  more(replies: number): Promise<void>;
  /** Until a second's worth of replies has come after the last silence. */
  again(limit: Duration): Promise<void>;
}

export interface Echoes {
  /** When replies came. */
  readonly seconds: readonly number[];
  /** Between the first and the last of them. */
  readonly lost: number;
}

/** Sends a hundred echoes a second while something happens. */
export async function echoesDuring(
  from: Host,
  address: string,
  happen: (heard: Heard) => Promise<void>,
): Promise<Echoes> {
  const ping = await from.spawn(["ping", "-n", "-D", "-i", String(EVERY_SECONDS), address], { ready: /bytes from/ });
  const replies = () => [...ping.log.matchAll(REPLY)].map(([, time]) => Number(time));
  const more = (count: number, timeout?: Duration) => {
    const wanted = replies().length + count;
    return waitFor("more replies", () => replies().length >= wanted, timeout === undefined ? {} : { timeout });
  };
  await more(50);
  await happen({
    more: async (count) => void (await more(count)),
    again: async (timeout) => {
      const cutAt = replies().length;
      // What was under way still arrives: the silence is behind it.
      await waitFor(
        "a silence",
        () => silences(replies().slice(cutAt - 1)).some((span) => span > 0.2) || isSilent(replies()),
        { timeout },
      );
      await more(100, timeout);
    },
  });
  await ping.stop();
  const numbers = [...ping.log.matchAll(REPLY)].map(([, , sequence]) => Number(sequence));
  const sent = (numbers.at(-1) ?? 0) - (numbers[0] ?? 0) + 1;
  return { seconds: replies(), lost: sent - new Set(numbers).size };
}

/** In seconds. */
export function longestSilence(echoes: Echoes): number {
  return Math.max(...silences(echoes.seconds));
}

function silences(replies: readonly number[]): readonly number[] {
  return replies.slice(1).map((time, index) => time - (replies[index] ?? time));
}

function isSilent(replies: readonly number[]): boolean {
  return Date.now() / 1000 - (replies.at(-1) ?? 0) > 0.2;
}
