import { run } from "../support/in-namespace.ts";

/** The cache of tools names a program's folder after its version: `…/coredns-v1.14.7/coredns`. */
export function toolVersion(path: string): string {
  return /-(v[^/]+)\/[^/]+$/.exec(path)?.[1] ?? "unknown";
}

export function unboundVersion(): string {
  return /^Version (\S+)/m.exec(run("unbound", "-V"))?.[1] ?? "unknown";
}
