import type { Duration } from "../base/duration.ts";
import type { Ip } from "../base/ip.ts";

/** ike_sa_state_names of charon's sa/ike_sa.c; a later charon may have more. */
export type IkeState =
  | "CREATED"
  | "CONNECTING"
  | "ESTABLISHED"
  | "PASSIVE"
  | "REKEYING"
  | "REKEYED"
  | "DELETING"
  | "DESTROYING";

/** child_sa_state_names of charon's sa/child_sa.c. */
export type ChildState =
  | "CREATED"
  | "ROUTED"
  | "INSTALLING"
  | "INSTALLED"
  | "UPDATING"
  | "REKEYING"
  | "REKEYED"
  | "RETRYING"
  | "DELETING"
  | "DELETED"
  | "DESTROYING";

/** One CHILD_SA: a pair of ESP SAs and what they carry. */
export interface ChildAssociation {
  /** As the connection names it. */
  readonly name: string;
  /** Charon's number for it, never used twice in one run of charon. */
  readonly uniqueId: number;
  readonly state: ChildState;
  /** "TUNNEL", "TRANSPORT" or "BEET". */
  readonly mode: string;
  /** ESP in UDP (RFC 3948). */
  readonly encapsulated: boolean;
  /** As swanctl writes it: "AES_GCM_16-128". */
  readonly proposal: string;
  /** Charon's names: "AES_GCM_16", and "HMAC_SHA2_256_128" where the cipher leaves that open. */
  readonly encryption: string | undefined;
  readonly integrity: string | undefined;
  /** Hexadecimal, without a prefix; undefined while it is being made. */
  readonly spiIn: string | undefined;
  readonly spiOut: string | undefined;
  /** As charon writes them: "10.244.1.0/24", a range or with a protocol behind. */
  readonly localSelectors: readonly string[];
  readonly remoteSelectors: readonly string[];
  readonly bytesIn: number;
  readonly packetsIn: number;
  readonly bytesOut: number;
  readonly packetsOut: number;
  /** Since the last packet; undefined: there was none. */
  readonly idleIn: Duration | undefined;
  readonly idleOut: Duration | undefined;
  readonly age: Duration;
  /** Until new keys are made; undefined: never, or in progress. */
  readonly rekeyIn: Duration | undefined;
  /** Until it ends if they are not. */
  readonly expiresIn: Duration | undefined;
}

/** One IKE_SA with its children. */
export interface IkeAssociation {
  /** The connection's. */
  readonly name: string;
  readonly uniqueId: number;
  readonly state: IkeState;
  /** Whether this end began it. */
  readonly initiator: boolean;
  /** Both ends know these: 16 hexadecimal digits. */
  readonly initiatorSpi: string;
  readonly responderSpi: string;
  readonly localId: string;
  readonly remoteId: string;
  readonly localHost: Ip;
  readonly localPort: number;
  readonly remoteHost: Ip;
  readonly remotePort: number;
  /** Whether a NAT is before either end, and before which. */
  readonly natAny: boolean;
  readonly natLocal: boolean;
  readonly natRemote: boolean;
  /** As swanctl writes it: "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519". */
  readonly proposal: string;
  /** Since it was established; undefined: it is not yet. */
  readonly age: Duration | undefined;
  readonly rekeyIn: Duration | undefined;
  /** Exchanges that this end has begun or will begin: "IKE_INIT", "CHILD_CREATE"; task_type_names of sa/task.c. */
  readonly tasks: readonly string[];
  readonly children: readonly ChildAssociation[];
}
