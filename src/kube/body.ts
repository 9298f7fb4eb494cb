import type { Clock } from "../base/clock.ts";
import { type Duration, formatDuration, seconds } from "../base/duration.ts";
import { errorCode, SelvedgeError } from "../base/errors.ts";
import { unreachable } from "./status.ts";

/** No part of a refusal for so long. */
const REFUSAL_IDLE = seconds(30);

/** Chunks of a body; a pause longer than `idle` is KUBE_UNREACHABLE. The body is cancelled when the reader stops. */
export async function* readChunks(
  body: ReadableStream<Uint8Array>,
  idle: Duration,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const chunk = await within(reader.read(), idle, clock);
      if (chunk === undefined) return;
      yield chunk;
    }
  } finally {
    // Cancelling a body that has failed already fails again, with what has been reported.
    await reader.cancel().catch(() => undefined);
  }
}

async function within(
  read: Promise<{ readonly value?: Uint8Array | undefined }>,
  idle: Duration,
  clock: Clock,
): Promise<Uint8Array | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = clock.after(idle, () => reject(unreachable("read", `silence for ${formatDuration(idle)}`, undefined)));
  try {
    return (await Promise.race([read, late])).value;
  } catch (cause) {
    throw cause instanceof SelvedgeError ? cause : unreachable("read", errorCode(cause), cause);
  } finally {
    timer.cancel();
  }
}

/** What a refusal says, as far as it is to be had: the status counts without it. */
export async function readBeginning(
  body: ReadableStream<Uint8Array>,
  mostBytes: number,
  clock: Clock,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of readChunks(body, REFUSAL_IDLE, clock)) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes > mostBytes) break;
    }
  } catch {
    // Cut short: what has come has to do.
  }
  return Buffer.concat(chunks).subarray(0, mostBytes).toString();
}

/** @returns undefined when there is more than `mostBytes` of it, which is not read */
export async function readWhole(
  body: ReadableStream<Uint8Array>,
  mostBytes: number,
  idle: Duration,
  clock: Clock,
): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of readChunks(body, idle, clock)) {
    sizeBytes += chunk.length;
    if (sizeBytes > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
