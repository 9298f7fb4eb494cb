import { createSign, generateKeyPairSync } from "node:crypto";
import type { KubernetesObject } from "../lab/service-objects.ts";

/** edgecore's default, as issuer and as audience. */
const ISSUER = "https://kubernetes.default.svc.cluster.local";
const NAMESPACE = "selvedge";
const NAME = "agent";
const UID = crypto.randomUUID();
const READ = ["get", "list", "watch"];

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

/** A Kubernetes service account: its tokens, and what KubeEdge tells a node of its rights. */
export class ServiceAccount {
  /** PEM, for whoever checks tokens. */
  readonly tokenKey: string;
  readonly #privateKey: string;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    this.tokenKey = publicKey;
    this.#privateKey = privateKey;
  }

  /** A bound token (RFC 7519). @param lifeSeconds negative for one that has expired */
  token(lifeSeconds: number): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      ...{ iss: ISSUER, aud: [ISSUER], sub: `system:serviceaccount:${NAMESPACE}:${NAME}` },
      ...{ exp: now + lifeSeconds, iat: now - 7200, nbf: now - 7200 },
      "kubernetes.io": { namespace: NAMESPACE, serviceaccount: { name: NAME, uid: UID } },
    };
    const signed = [{ alg: "RS256", typ: "JWT" }, claims].map(base64url).join(".");
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(this.#privateKey, "base64url")}`;
  }

  /** What cloudcore's policy controller makes of the account's bindings. */
  access(...rules: readonly Rule[]): KubernetesObject {
    const metadata = { name: NAME, namespace: NAMESPACE };
    const clusterRoleBinding = {
      metadata: { name: "agent" },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "agent" },
    };
    const bindings = [{ clusterRoleBinding, rules: rules.map((rule) => ({ ...rule, verbs: READ })) }];
    return {
      apiVersion: "policy.kubeedge.io/v1alpha1",
      kind: "ServiceAccountAccess",
      metadata,
      spec: { serviceAccount: { metadata }, serviceAccountUid: UID, accessClusterRoleBinding: bindings },
    };
  }
}

function base64url(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
