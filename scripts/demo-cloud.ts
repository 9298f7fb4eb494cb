import { ApiServer, apiServerPrograms } from "../test/lab/api-server.ts";
import type { Host } from "../test/lab/host.ts";
import { formatManifest, type ServiceDescription, serviceObjects } from "../test/lab/service-objects.ts";

/** Where services are declared, and what the edge node learns them from. */
export interface Cloud {
  readonly about: string;
  readonly url: string;
  /** Tells an edge node where it is. @returns arguments for the agent */
  introduce(edge: Host): Promise<readonly string[]>;
  declare(service: ServiceDescription): Promise<void>;
  remove(service: ServiceDescription): Promise<void>;
}

const KUBECONFIG = "/etc/selvedge/kubeconfig";
const MANIFESTS = "/run/manifests";
const PORT = 8080;

/** `selvedge-cloud hub`, serving a folder of manifests. */
export async function startHub(host: Host, address: string, program: string): Promise<Cloud> {
  await host.output(["mkdir", MANIFESTS]);
  const url = `http://${address}:${PORT}`;
  await host.spawn([program, "hub", "--manifests", MANIFESTS, "--listen", `${address}:${PORT}`], {
    ready: async () => (await host.run(["curl", "-sf", "-o", "/dev/null", `${url}/api/v1/services`])).code === 0,
  });
  const file = ({ namespace, name }: ServiceDescription) => `${MANIFESTS}/${namespace}-${name}.yaml`;
  return {
    about: `selvedge-cloud hub at ${url}, serving the folder ${MANIFESTS}`,
    url,
    introduce: async () => ["--source", "hub", "--meta-server", url],
    declare: (service) => host.writeFile(file(service), formatManifest(serviceObjects(service))),
    remove: async (service) => void (await host.output(["rm", file(service)])),
  };
}

/** The real kube-apiserver with etcd. */
export async function startApiServer(host: Host, address: string): Promise<Cloud> {
  const server = await ApiServer.start(host, address, await apiServerPrograms());
  return {
    about: `kube-apiserver at ${server.url}, with etcd`,
    url: server.url,
    introduce: async (edge) => {
      await edge.writeFile(KUBECONFIG, server.kubeconfig, "0600");
      return ["--source", "api-server", "--kubeconfig", KUBECONFIG];
    },
    declare: async (service) => {
      for (const object of serviceObjects(service)) await server.apply(object);
    },
    remove: async (service) => {
      for (const object of serviceObjects(service)) await server.delete(object);
    },
  };
}
