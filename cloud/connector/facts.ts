import type { Ip, Prefix } from "../../src/base/ip.ts";
import type { ConnectorPublication } from "../../src/network/connector-claims.ts";
import type { FabricCredentials } from "../../src/network/fabric-identity.ts";
import type { NodeConfig } from "../../src/network/node-config.ts";

/** The Kubernetes node that a connector runs on. */
export interface ConnectorPlace {
  /** For the owner reference of what it publishes. */
  readonly uid: string;
  /** What Kubernetes calls its InternalIPs; the first is where other nodes reach it. */
  readonly addresses: readonly [Ip, ...Ip[]];
  /** Of the pods that run there. */
  readonly prefixes: readonly Prefix[];
}

/** What a connector knows from the cluster. What was known once stays, whatever is heard or not heard after it. */
export interface ConnectorFacts {
  /** undefined, here and below: nothing was ever heard of it. */
  readonly config: NodeConfig | undefined;
  readonly credentials: FabricCredentials | undefined;
  readonly place: ConnectorPlace | undefined;
  /** By the name of the connector's node; this one's is among them. */
  readonly publications: ReadonlyMap<string, ConnectorPublication>;
}

export const NO_FACTS: ConnectorFacts = {
  config: undefined,
  credentials: undefined,
  place: undefined,
  publications: new Map(),
};
