import type { ErrorDetails } from "../../src/base/errors.ts";
import type { Condition } from "../../src/base/health.ts";
import type { LogLevel, LogRecord } from "../../src/base/log.ts";
import type { GlobalService, Locality } from "../../src/network/global-service.ts";
import type { Inside } from "../../src/network/inside.ts";
import type { ObjectKey } from "../../src/network/service.ts";
import type { ServiceView } from "../../src/network/service-index.ts";
import type { DnsOptions, DnsStatus, ResolvedName } from "../dns/dns.ts";

/** What two threads say to each other; `postMessage` copies it. */
export interface Port<In, Out> {
  send(message: Out): void;
  receive(take: (message: In) => void): void;
}

export interface DnsSettings extends Omit<DnsOptions, "allowed"> {
  readonly logLevel: LogLevel;
}

/** Each is answered once, by its value or a failure. */
export type DnsQuestion =
  | { readonly about: "start"; readonly settings: DnsSettings; readonly inside: Inside }
  | { readonly about: "status" }
  | { readonly about: "stop" }
  | { readonly about: "metrics" }
  | { readonly about: "name"; readonly name: string; readonly type: number };

export type DnsAnswer = undefined | DnsStatus | string | ResolvedName;

export type ToDns =
  /**
   * Changed services, those that are gone as null; one JSON text, as copying 10,000 objects takes seven times longer
   * than writing and copying their text (84 ms and 12 ms).
   */
  | { readonly kind: "services"; readonly json: string }
  /** The same of services in several clusters. */
  | { readonly kind: "globals"; readonly json: string }
  | { readonly kind: "locality"; readonly locality: Locality }
  | { readonly kind: "inside"; readonly inside: Inside }
  | { readonly kind: "question"; readonly id: number; readonly question: DnsQuestion };

export type ServiceChanges = readonly (readonly [ObjectKey, ServiceView | null])[];

export type GlobalServiceChanges = readonly (readonly [ObjectKey, GlobalService | null])[];

export type FromDns =
  | { readonly kind: "answer"; readonly id: number; readonly value: DnsAnswer }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure }
  | { readonly kind: "log"; readonly record: LogRecord }
  | { readonly kind: "condition"; readonly condition: Condition; readonly raised: boolean }
  /** The thread's loop turns; `lagMs` is how late. */
  | { readonly kind: "beat"; readonly lagMs: number };

/** A SelvedgeError's parts: an error's class does not outlive the copy. */
export interface Failure extends Omit<ErrorDetails, "cause"> {
  readonly message: string;
}
