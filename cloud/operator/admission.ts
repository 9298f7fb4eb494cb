import { SelvedgeError } from "../../src/base/errors.ts";
import type { CertificateNames, Desired, DesiredCertificate, DocumentKey } from "./document.ts";
import { namespacedKey } from "./document.ts";
import { agentTlsName } from "./object-names.ts";

const MOVE_FIRST = "Set its label selvedge.io/agent-mode to host first.";

/**
 * The certificate that a node may have for a key of its own: the plan's, so that the node has no say in its names.
 *
 * @param document what the plan says; undefined: there is none yet
 * @throws SelvedgeError JOIN_NODE_REFUSED, JOIN_NOT_READY
 */
export function admittedCertificate(
  node: string,
  namespace: string,
  document: (key: DocumentKey) => Desired | undefined,
): DesiredCertificate {
  const desired = document(namespacedKey("Secret", namespace, agentTlsName(node)));
  if (desired === undefined) throw notReady(`node "${node}"`, "not everything has been read");
  if (desired.state === "absent") {
    throw refused(node, "it is no edge node of this cluster", "Register the Node and give it the label of edge nodes.");
  }
  if (desired.state === "held") {
    const [problem] = desired.problems;
    throw refused(node, problem?.message ?? "something is wrong with it", problem?.hint ?? "See its conditions.");
  }
  const pod = document(namespacedKey("Pod", namespace, node));
  if (pod?.state === "held") {
    throw refused(node, "an agent of FabEdge's on it reads its key from a Secret", MOVE_FIRST);
  }
  if (pod?.state === "present") {
    throw refused(node, "its agent is a pod, which gets its key from a Secret", MOVE_FIRST);
  }
  if (desired.object.kind !== "Secret") throw new Error(`${agentTlsName(node)} is planned as ${desired.object.kind}`);
  return desired.object;
}

/** @param who "nodes", or one of them */
export function notReady(who: string, why: string): SelvedgeError {
  return new SelvedgeError(`Cannot let ${who} in as ${why} yet`, {
    code: "JOIN_NOT_READY",
    blame: "host",
    retry: "later",
    hint: "Try again in a few seconds; the token is still good.",
  });
}

function refused(node: string, why: string, hint: string): SelvedgeError {
  const details = { code: "JOIN_NODE_REFUSED", blame: "user", retry: "later" } as const;
  return new SelvedgeError(`Cannot let node "${node}" in: ${why}`, {
    ...details,
    hint: `${hint} The token is still good.`,
  });
}

/** Of the operator itself, towards nodes that join. */
export function planJoinCertificate(
  cluster: string,
  organization: string,
  names: { readonly dnsNames: readonly string[]; readonly ips: readonly string[] },
): CertificateNames {
  return { organization, commonName: `${cluster}.operator`, ...names };
}
