import { ApiServer } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import { toolPaths } from "../lab/tools.ts";
import type { PublicationApi } from "./cloud-world.ts";

/** The real API server; the account may do what the chart lets a node-agent do, and read what kube-proxy reads. */
export class ClusterApi implements PublicationApi {
  readonly server: ApiServer;
  /** Where it runs. */
  readonly host: Host;

  static async open(host: Host, address: string): Promise<ClusterApi> {
    const server = await ApiServer.start(host, address, await toolPaths("etcd", "kube-apiserver"));
    const [apiGroup, metadata] = ["rbac.authorization.k8s.io", { name: "node-agent", namespace: "fabedge" }];
    await server.apply({
      ...{ apiVersion: `${apiGroup}/v1`, kind: "Role", metadata },
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch"] }],
    });
    await server.apply({
      ...{ apiVersion: `${apiGroup}/v1`, kind: "RoleBinding", metadata },
      roleRef: { apiGroup, kind: "Role", name: "node-agent" },
      subjects: [{ apiGroup, kind: "User", name: "edge-reader" }],
    });
    return new ClusterApi(server, host);
  }

  private constructor(server: ApiServer, host: Host) {
    this.server = server;
    this.host = host;
  }

  /** Of an account that may do everything. */
  get administrator(): { readonly url: string; readonly token: string } {
    return { url: this.server.url, token: "administrator" };
  }

  get kubeconfig(): string {
    return this.server.kubeconfig;
  }

  start(): Promise<void> {
    return this.server.restart();
  }

  stop(): Promise<void> {
    return this.server.kill();
  }

  async put(publication: KubernetesObject): Promise<void> {
    await this.server.apply(publication);
  }

  remove(publication: KubernetesObject): Promise<void> {
    return this.server.delete(publication);
  }
}
