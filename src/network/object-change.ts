import type { EndpointSlice } from "./endpoint.ts";
import type { CertificateTexts } from "./fabric-identity.ts";
import type { GlobalService } from "./global-service.ts";
import type { Node } from "./node.ts";
import type { NodeDocument } from "./node-config.ts";
import type { ObjectKey, Service } from "./service.ts";

/**
 * The values behind each kind that the agent watches. An Endpoints object becomes a slice per subset and family; of
 * ConfigMaps and Secrets it watches its own node's.
 */
export interface ObjectValues {
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Endpoints: readonly EndpointSlice[];
  readonly Node: Node;
  readonly ConfigMap: NodeDocument;
  readonly Secret: CertificateTexts;
  readonly GlobalService: GlobalService;
}

export type ObjectKind = keyof ObjectValues;

/** One object as it is now, or gone when `value` is undefined. Cluster-scoped objects are keyed by their name. */
export type ObjectChange = {
  readonly [K in ObjectKind]: {
    readonly kind: K;
    readonly key: ObjectKey;
    readonly value: ObjectValues[K] | undefined;
  };
}[ObjectKind];
