import { parseJson } from "../../src/kube/json-view.ts";
import {
  CLUSTERS,
  COMMUNITIES,
  CONFIG_MAPS,
  ENDPOINT_SLICES,
  EVENTS,
  GLOBAL_SERVICES,
  IP_POOLS,
  IPAM_BLOCKS,
  LEASES,
  NODES,
  PODS,
  type Resource,
  SECRETS,
  SERVICES,
} from "../../src/kube/resource.ts";
import type { OperatorOptions } from "../operator/operator-options.ts";
import type { ClusterView } from "./cluster-view.ts";

/** Something that the operator has to be allowed to do. */
export interface Permission {
  readonly verb: string;
  readonly group: string;
  /** "nodes", "nodes/status" */
  readonly resource: string;
  /** Empty: all namespaces, or a cluster-scoped resource. */
  readonly namespace: string;
  /** Empty: any. */
  readonly name: string;
}

export function operatorPermissions({ settings, leaseName }: OperatorOptions): readonly Permission[] {
  const { namespace, cni, role, keepIpPools } = settings;
  const all = (verbs: string, { group, plural }: Resource, more: Partial<Permission> = {}): readonly Permission[] =>
    verbs.split(" ").map((verb) => ({ verb, group, resource: plural, namespace: "", name: "", ...more }));
  const calico = cni === "calico";
  return [
    ...all(calico ? "list watch patch" : "list watch", NODES),
    ...all("patch", NODES, { resource: "nodes/status" }),
    ...all("list watch", COMMUNITIES),
    ...all("patch", COMMUNITIES, { resource: "communities/status" }),
    ...all(role === "host" ? "list watch create patch" : "list watch", CLUSTERS),
    ...all("patch", CLUSTERS, { resource: "clusters/status" }),
    ...(calico ? all("list watch", IPAM_BLOCKS) : []),
    ...(calico && keepIpPools ? all("list watch create patch delete", IP_POOLS) : []),
    ...all("list watch create patch delete", CONFIG_MAPS, { namespace }),
    ...all("get list watch create patch delete", SECRETS, { namespace }),
    ...all("list watch create delete", PODS, { namespace }),
    ...all("create", LEASES, { namespace }),
    ...all("get patch", LEASES, { namespace, name: leaseName }),
    ...all("list watch", SERVICES),
    ...all("list watch", ENDPOINT_SLICES),
    ...all("list watch create patch delete", GLOBAL_SERVICES),
    ...all("create patch", EVENTS),
  ];
}

export function formatPermission({ verb, group, resource, namespace, name }: Permission): string {
  const what = `${verb} ${resource}${group === "" ? "" : `.${group}`}${name === "" ? "" : `/${name}`}`;
  return namespace === "" ? what : `${what} in ${namespace}`;
}

const REVIEWS = "/apis/authorization.k8s.io/v1";
const API_VERSION = "authorization.k8s.io/v1";

/**
 * @param account the operator's; undefined: whoever asks
 * @throws SelvedgeError KUBE_FORBIDDEN where one may not ask about others
 */
export async function isAllowed(
  cluster: ClusterView,
  permission: Permission,
  account: string | undefined,
): Promise<boolean> {
  const { verb, group, namespace, name } = permission;
  const [resource = "", subresource] = permission.resource.split("/");
  const resourceAttributes = {
    ...{ verb, group, resource },
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === "" ? {} : { namespace }),
    ...(name === "" ? {} : { name }),
  };
  const [kind, who] =
    account === undefined
      ? ["SelfSubjectAccessReview", {}]
      : ["SubjectAccessReview", subjectOf(cluster.namespace, account)];
  const answer = await cluster.review(`${REVIEWS}/${kind.toLowerCase()}s`, {
    apiVersion: API_VERSION,
    kind,
    spec: { resourceAttributes, ...who },
  });
  const allowed = parseJson(answer, (review) => review.field("status").field("allowed").optionalBoolean());
  return allowed.ok && allowed.value === true;
}

/** As the API server names service accounts. */
function subjectOf(namespace: string, account: string) {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  return { user: `system:serviceaccount:${namespace}:${account}`, groups };
}
