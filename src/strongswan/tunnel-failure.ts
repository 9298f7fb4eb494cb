import type { ViciSection } from "../wire/vici-message.ts";

/** Longer than any of charon's own sentences; certificates' names in them come from peers. */
const FAILURE_TEXT_MAX = 256;

/**
 * What in charon's words says that something did not work: "received AUTHENTICATION_FAILED notify error", "giving up after
 * 7 retransmits", "no trusted ECDSA public key found for …", "subject certificate invalid (valid from …)".
 */
const TELLING =
  /\bfail|\berror\b|giving up|\bunable\b|\binvalid\b|\bno (?:trusted|issuer|private|matching|acceptable|shared)\b|\bnot (?:found|responding|supported|possible)\b|\b\w+_UNACCEPTABLE\b|\brejected\b|\brequired\b|\bafter timeout\b/i;
export interface FailureEvent {
  readonly connection: string;
  /** Charon's number of the IKE_SA: what is told of one try tells the reason first. */
  readonly ikeId: number;
  readonly text: string;
}

/** @param message of a "log" event @returns undefined unless it says why something about a connection does not work */
export function failureOf(message: ViciSection): FailureEvent | undefined {
  const connection = message.text("ikesa-name");
  const text = message.text("msg");
  if (connection === undefined || text === undefined || !TELLING.test(text)) return undefined;
  const ikeId = message.number("ikesa-uniqueid") ?? 0;
  return { connection, ikeId, text: text.slice(0, FAILURE_TEXT_MAX).trim() };
}
