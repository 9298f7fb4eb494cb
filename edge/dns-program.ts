import { parentPort } from "node:worker_threads";
import { SystemClock } from "../src/linux/system-clock.ts";
import { serveDns } from "./wiring/dns-thread.ts";

/** The thread of names, which loads nothing but what that needs: a megabyte and a half less. */
export function runDnsThread(): void {
  const port = parentPort;
  if (port === null) throw new Error("Cannot serve names as nobody started this as a thread");
  serveDns(
    { send: (message) => port.postMessage(message), receive: (take) => port.on("message", take) },
    {
      clock: new SystemClock(),
      random: Math.random,
      randomWord: () => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
      environment: process.env,
      pid: process.pid,
      // Bun calls shrink deprecated and has nothing else that drops code.
      heap: { collectGarbage: () => Bun.gc(true), dropCode: () => Bun.shrink() },
    },
  );
}
