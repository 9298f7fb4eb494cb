import type { LabProcess } from "../process.ts";
import type { FabricCluster } from "./cluster.ts";
import { CLUSTER_CIDRS } from "./cluster.ts";
import type { CloudNode } from "./network.ts";

const CONFIGURATION = "/etc/kube-proxy.yaml";

/** The real one of a cloud node. @param program where it is, as scripts/tools says */
export async function startKubeProxy(
  cluster: FabricCluster,
  { host, name }: CloudNode,
  program: string,
): Promise<LabProcess> {
  const configuration = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: cluster.kubeconfig },
    clusterCIDR: CLUSTER_CIDRS.join(","),
    hostnameOverride: name,
    mode: "nftables",
    nftables: { minSyncPeriod: "100ms" },
    metricsBindAddress: "127.0.0.1:10249",
    healthzBindAddress: "127.0.0.1:10256",
    // The machine's limit of connections is not this node's to set.
    conntrack: { maxPerCore: 0, min: 0 },
  };
  await host.writeFile(CONFIGURATION, JSON.stringify(configuration));
  return await host.spawn([program, "--config", CONFIGURATION]);
}
