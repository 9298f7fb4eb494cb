import type { DecodeError, Result } from "../../base/result.ts";
import type { ObjectKind, ObjectValues } from "../../network/object-change.ts";
import {
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  GLOBAL_SERVICES,
  NODES,
  type Resource,
  SECRETS,
  SERVICES,
} from "../resource.ts";
import { parseEndpointSlice, SERVICE_NAME } from "./endpoint-slice.ts";
import { parseEndpoints } from "./endpoints.ts";
import { parseGlobalService } from "./global-service.ts";
import { parseNode, ZONE } from "./node.ts";
import {
  CREDENTIAL_FILES,
  parseCredentialSecret,
  parseNodeConfigMap,
  SETTINGS_FILE,
  TUNNELS_FILE,
} from "./node-documents.ts";
import { parseService, SERVICE_PROXY_NAME } from "./service.ts";
import type { Fields } from "./trim.ts";

/** What there is to know about a kind that we watch. */
export interface KindDefinition<K extends ObjectKind> {
  readonly resource: Resource;
  /** What is kept of an object; `parse` reads nothing beyond it. */
  readonly fields: Fields;
  /** undefined: valid, and not for us. */
  readonly parse: (json: unknown) => Result<ObjectValues[K] | undefined, DecodeError>;
}

const PORT: Fields = { name: true, protocol: true, port: true, nodePort: true };
const SUBSET_ADDRESS: Fields = { ip: true, hostname: true, nodeName: true };

export const KINDS: { readonly [K in ObjectKind]: KindDefinition<K> } = {
  Service: {
    resource: SERVICES,
    fields: {
      metadata: { namespace: true, name: true, creationTimestamp: true, labels: { [SERVICE_PROXY_NAME]: true } },
      spec: {
        type: true,
        clusterIP: true,
        clusterIPs: true,
        externalName: true,
        externalIPs: true,
        loadBalancerSourceRanges: true,
        ports: PORT,
        sessionAffinity: true,
        sessionAffinityConfig: true,
        internalTrafficPolicy: true,
        externalTrafficPolicy: true,
        trafficDistribution: true,
        healthCheckNodePort: true,
        publishNotReadyAddresses: true,
      },
      status: { loadBalancer: { ingress: { ip: true, ipMode: true } } },
    },
    parse: parseService,
  },
  EndpointSlice: {
    resource: ENDPOINT_SLICES,
    fields: {
      metadata: { namespace: true, name: true, labels: { [SERVICE_NAME]: true } },
      addressType: true,
      ports: { name: true, protocol: true, port: true },
      endpoints: { addresses: true, conditions: true, hostname: true, nodeName: true, zone: true, hints: true },
    },
    parse: parseEndpointSlice,
  },
  Endpoints: {
    resource: ENDPOINTS,
    fields: {
      metadata: { namespace: true, name: true },
      subsets: {
        addresses: SUBSET_ADDRESS,
        notReadyAddresses: SUBSET_ADDRESS,
        ports: { name: true, protocol: true, port: true },
      },
    },
    parse: parseEndpoints,
  },
  Node: {
    resource: NODES,
    fields: {
      metadata: { name: true, labels: { [ZONE]: true } },
      spec: { podCIDR: true, podCIDRs: true },
      status: { addresses: { type: true, address: true } },
    },
    parse: parseNode,
  },
  ConfigMap: {
    resource: CONFIG_MAPS,
    fields: { metadata: { namespace: true, name: true }, data: { [TUNNELS_FILE]: true, [SETTINGS_FILE]: true } },
    parse: parseNodeConfigMap,
  },
  Secret: {
    resource: SECRETS,
    fields: {
      metadata: { namespace: true, name: true },
      data: Object.fromEntries(CREDENTIAL_FILES.map((file) => [file, true as const])),
    },
    parse: parseCredentialSecret,
  },
  GlobalService: {
    resource: GLOBAL_SERVICES,
    fields: {
      metadata: { namespace: true, name: true },
      spec: { type: true, endpoints: { addresses: true, hostname: true, cluster: true, zone: true, region: true } },
    },
    parse: parseGlobalService,
  },
};
