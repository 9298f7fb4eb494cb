import type { Host } from "../test/lab/host.ts";
import { formatManifest, type ServiceDescription, serviceObjects } from "../test/lab/service-objects.ts";

/** Where services are declared, and what the edge node learns them from. */
export interface Cloud {
  readonly about: string;
  /** What the agent needs to be told of it. */
  readonly agentArguments: readonly string[];
  declare(service: ServiceDescription): Promise<void>;
  remove(service: ServiceDescription): Promise<void>;
}

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
    agentArguments: ["--source", "hub", "--meta-server", url],
    declare: (service) => host.writeFile(file(service), formatManifest(serviceObjects(service))),
    remove: async (service) => void (await host.output(["rm", file(service)])),
  };
}
