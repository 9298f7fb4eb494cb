import type { TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import { ip, prefix } from "./network-objects.ts";

/** What differs between test endpoints, as text. */
export interface EndpointText {
  readonly publicAddresses?: readonly string[];
  readonly port?: number;
  readonly subnets?: readonly string[];
  readonly nodeSubnets?: readonly string[];
}

export function makeEdgeEndpoint(name: string, text: EndpointText = {}): TunnelEndpoint {
  return makeTunnelEndpoint(name, "EdgeNode", text);
}

export function makeConnectorEndpoint(name: string, text: EndpointText = {}): TunnelEndpoint {
  return makeTunnelEndpoint(name, "Connector", text);
}

function makeTunnelEndpoint(name: string, type: "Connector" | "EdgeNode", text: EndpointText): TunnelEndpoint {
  const { publicAddresses = [], port, subnets = [], nodeSubnets = [] } = text;
  return {
    id: `C=CN, O=fabedge.io, CN=${name}`,
    name,
    publicAddresses,
    port,
    subnets: subnets.map(prefix),
    nodeSubnets: nodeSubnets.map(ip),
    type,
  };
}
