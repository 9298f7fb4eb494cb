import { formatPrefix } from "../../src/base/ip.ts";
import type { Manifest, OwnerReference } from "../../src/kube/manifest.ts";
import { CLUSTERS, CONFIG_MAPS, IP_POOLS, NODES, PODS, type Resource } from "../../src/kube/resource.ts";
import { IKE_PORT, type TunnelEndpoint } from "../../src/network/tunnel-endpoint.ts";
import type { DesiredCertificate, DesiredObject, NodeOwner } from "./document.ts";

export interface PlannedManifest {
  readonly resource: Resource;
  readonly manifest: Manifest;
}

/** A pod is created with `generateName` in its place. */
const GENERATED = "";

/** An object as it is applied. A certificate is not among them: its data are whoever's who has the key. */
export function planManifest(object: Exclude<DesiredObject, DesiredCertificate>): PlannedManifest {
  switch (object.kind) {
    case "ConfigMap": {
      const { namespace, name, labels, owner, data } = object;
      return { resource: CONFIG_MAPS, manifest: { metadata: { namespace, name, labels, ...ownedBy(owner) }, data } };
    }
    case "Pod": {
      const { namespace, generateName, labels, owner, spec } = object;
      const metadata = { namespace, name: GENERATED, generateName, labels, ...ownedBy(owner) };
      return { resource: PODS, manifest: { metadata, spec } };
    }
    case "NodeAnnotations":
      return { resource: NODES, manifest: { metadata: { name: object.name, annotations: object.annotations } } };
    case "IPPool": {
      const { name, labels, spec } = object;
      return { resource: IP_POOLS, manifest: { metadata: { name, labels }, spec } };
    }
    case "Cluster": {
      const spec = { cidrs: object.cidrs.map(formatPrefix), endpoints: object.endpoints.map(endpointJson) };
      return { resource: CLUSTERS, manifest: { metadata: { name: object.name }, spec } };
    }
  }
}

/** As controller-runtime sets it: the Node's deletion takes the object along. */
export function ownedBy(owner: NodeOwner | undefined): { readonly ownerReferences?: readonly OwnerReference[] } {
  if (owner === undefined) return {};
  const { name, uid } = owner;
  return {
    ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid, controller: true, blockOwnerDeletion: true }],
  };
}

/** FabEdge's Endpoint as JSON; empty fields are left out. */
export function endpointJson(endpoint: TunnelEndpoint): Readonly<Record<string, unknown>> {
  const { id, name, publicAddresses, subnets, nodeSubnets, type, port } = endpoint;
  return {
    ...(id === "" ? {} : { id }),
    name,
    ...(publicAddresses.length === 0 ? {} : { publicAddresses }),
    ...(subnets.length === 0 ? {} : { subnets: subnets.map(formatPrefix) }),
    ...(nodeSubnets.length === 0 ? {} : { nodeSubnets }),
    ...(type === undefined ? {} : { type }),
    ...(port === undefined || port === IKE_PORT ? {} : { port }),
  };
}
