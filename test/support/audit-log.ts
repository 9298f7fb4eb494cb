import { readFileSync } from "node:fs";
import { join } from "node:path";

const PATH = "/run/kubernetes/audit.log";

/** Flags of kube-apiserver, which then notes what service accounts do. */
export const AUDIT_FLAGS = [
  `--audit-policy-file=${join(import.meta.dir, "audit-policy.yaml")}`,
  `--audit-log-path=${PATH}`,
];

/** @returns its lines, from one on */
export function auditLines(from = 0): readonly string[] {
  const lines = readFileSync(PATH, "utf8").split("\n");
  return lines.filter((line) => line !== "").slice(from);
}

/** Those in which a service account was refused something. @param user undefined: any of them */
export function refusals(lines: readonly string[], user = ""): readonly string[] {
  return lines.filter((line) => line.includes(user) && /"code":40[13]/.test(line));
}
