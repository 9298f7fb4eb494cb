import type { Ip } from "../base/ip.ts";
import type { Protocol } from "./service.ts";

export interface Endpoint {
  /** One address in practice; of the slice's family. */
  readonly addresses: readonly Ip[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname: string | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
  readonly hintZones: readonly string[];
  readonly hintNodes: readonly string[];
}

export interface EndpointPort {
  /** Matches ServicePort.name. */
  readonly name: string;
  readonly protocol: Protocol;
  /** Undefined means "all ports": seen on headless services without ports. */
  readonly port: number | undefined;
}

/** One EndpointSlice, or one subset and family of an Endpoints object. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** The Service's name in the same namespace. */
  readonly service: string;
  readonly family: 4 | 6;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}
