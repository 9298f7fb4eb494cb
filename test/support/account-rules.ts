import { expandRules, formatGrant, type Rule } from "./grants.ts";
import { kubectl } from "./in-cluster.ts";

/** What the API server says that an account may do in a namespace, wherever that is granted. */
export function mayDo(user: string, namespace: string): string[] {
  const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const groups = ["system:serviceaccounts", "system:authenticated"].map((group) => `--as-group=${group}`);
  const words = ["--validate=false", `--filename=${writeObject(review)}`, "--output=json"];
  const answer = kubectl("create", `--as=${user}`, ...groups, ...words);
  const { resourceRules } = (JSON.parse(answer) as { status: { resourceRules: readonly Rule[] } }).status;
  return [...new Set(expandRules("", resourceRules).map(formatGrant))];
}

/** @returns where kubectl can read it */
export function writeObject(object: object): string {
  const path = "/run/kubernetes/object.json";
  Bun.spawnSync(["tee", path], { stdin: Buffer.from(JSON.stringify(object)), stdout: "ignore" });
  return path;
}
