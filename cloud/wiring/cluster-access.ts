import { VERSION } from "../../src/base/version.ts";
import { KubeClient } from "../../src/kube/client.ts";
import { openSource } from "../../src/kube/source.ts";
import type { System } from "./system.ts";

const NO_SOURCE = {
  url: undefined,
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  tokenFile: undefined,
  insecure: false,
};

/**
 * @param kubeconfig undefined: the service account of the pod
 * @param context of the kubeconfig; undefined: its current one
 */
export async function openCluster(
  kubeconfig: string | undefined,
  system: System,
  context?: string,
): Promise<KubeClient> {
  const endpoint = await openSource({ ...NO_SOURCE, kubeconfig, context }, system.environment, system.readText);
  return new KubeClient(endpoint, `selvedge-cloud/${VERSION}`, system.fetch, system.clock);
}

/** As kubectl finds it: what is said, the first of $KUBECONFIG, ~/.kube/config; undefined: nowhere. */
export function findKubeconfig(said: string, { environment, fileExists }: System): string | undefined {
  if (said !== "") return said;
  const { KUBECONFIG = "", HOME = "" } = environment;
  const [first] = KUBECONFIG.split(":").filter((path) => path !== "");
  if (first !== undefined) return first;
  const own = `${HOME}/.kube/config`;
  return HOME !== "" && fileExists(own) ? own : undefined;
}
