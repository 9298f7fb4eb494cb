import type { KubernetesObject } from "../lab/service-objects.ts";
import { request } from "./in-cluster.ts";

/** What the API server answers, as far as the tests look at it. */
export interface KubernetesJson {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly object[];
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: { readonly conditions?: readonly Readonly<Record<string, string>>[] };
}

/** Of kinds that are not in the core group, by the word that kubectl takes. */
const VERSIONS = {
  cluster: "fabedge.io/v1alpha1",
  community: "fabedge.io/v1alpha1",
  deployment: "apps/v1",
  globalservice: "dns.fabedge.io/v1alpha1",
  ippool: "crd.projectcalico.org/v1",
  lease: "coordination.k8s.io/v1",
  networkpolicy: "networking.k8s.io/v1",
  poddisruptionbudget: "policy/v1",
} as const;
const CLUSTER_WIDE = [
  ...["namespace", "node", "customresourcedefinition", "cluster", "community", "ippool", "ipamblock"],
  ...["clusterrole", "clusterrolebinding"],
];

/** @param kind "configmap" */
function pathOf(apiVersion: string, kind: string, name: string, namespace: string): string {
  const root = apiVersion.includes("/") ? "/apis" : "/api";
  const folder = CLUSTER_WIDE.includes(kind) ? "" : `/namespaces/${namespace}`;
  return `${root}/${apiVersion}${folder}/${kind.replace(/y$/, "ie")}s/${name}`;
}

function pathOfKind(kind: string, name: string, namespace: string): string {
  return pathOf((VERSIONS as Readonly<Record<string, string>>)[kind] ?? "v1", kind, name, namespace);
}

/** Creates or changes it (server-side apply), as kubectl would. @throws with the server's reason where it is refused */
export async function applyObject(object: KubernetesObject): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const path = pathOf(apiVersion, kind.toLowerCase(), metadata.name, metadata.namespace ?? "default");
  const how = "?fieldManager=kubectl&force=true&fieldValidation=Strict";
  await expectTaken(await request("PATCH", path + how, "application/apply-patch+yaml", object));
}

/** A merge patch: null takes a field away. @param part "/status" for that subresource */
export async function patchObject(
  kind: string,
  name: string,
  patch: object,
  { namespace = "default", part = "" } = {},
): Promise<void> {
  const path = pathOfKind(kind, name, namespace) + part;
  await expectTaken(await request("PATCH", path, "application/merge-patch+json", patch));
}

/** Does nothing where there is none. */
export async function deleteObject(kind: string, name: string, namespace: string): Promise<void> {
  const answer = await request("DELETE", pathOfKind(kind, name, namespace));
  if (answer.status !== 404) await expectTaken(answer);
}

/** @returns the object, or undefined where there is none */
export async function readObject(kind: string, name: string, namespace: string): Promise<KubernetesJson | undefined> {
  const answer = await request("GET", pathOfKind(kind, name, namespace));
  if (answer.status === 404) return undefined;
  return JSON.parse(await expectTaken(answer));
}

async function expectTaken(answer: Response): Promise<string> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Cannot do what was asked of the API server: ${answer.status} ${text}`);
  return text;
}
