import type { EndpointSlice } from "./endpoint.ts";
import type { Node } from "./node.ts";
import type { ObjectKey, Service } from "./service.ts";

/** The values behind each kind that the agent watches. An Endpoints object becomes a slice per subset and family. */
export interface ObjectValues {
  readonly Service: Service;
  readonly EndpointSlice: EndpointSlice;
  readonly Endpoints: readonly EndpointSlice[];
  readonly Node: Node;
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
