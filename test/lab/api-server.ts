import { seconds } from "../../src/base/duration.ts";
import type { Host } from "./host.ts";
import type { KubernetesObject } from "./service-objects.ts";
import { waitFor } from "./wait-for.ts";

const DIRECTORY = "/run/kubernetes";
const TOKEN = "administrator";
const PORT = 6443;
const START_TIMEOUT = seconds(60);

/** The lab has no API that deals in plurals; these are the kinds it declares. */
const RESOURCES: Readonly<Record<string, string>> = { Service: "services", EndpointSlice: "endpointslices" };

export interface ApiServerPrograms {
  readonly etcd: string;
  readonly "kube-apiserver": string;
}

/** Paths of the programs, built from their Go modules where they are not there yet. @throws Error where Go is missing */
export async function apiServerPrograms(): Promise<ApiServerPrograms> {
  const tools = Bun.spawn([`${import.meta.dir}/../../scripts/tools`, "etcd", "kube-apiserver"], { stderr: "inherit" });
  const paths = Object.fromEntries((await tools.stdout.text()).split("\n").map((line) => line.split(" ")));
  const { etcd, "kube-apiserver": server } = paths;
  if ((await tools.exited) !== 0 || etcd === undefined || server === undefined) {
    throw new Error("Cannot run an API server as its programs cannot be built: scripts/tools says why");
  }
  return { etcd, "kube-apiserver": server };
}

/** The real kube-apiserver with etcd on a host of the lab. No controller runs: endpoint slices are made by hand. */
export class ApiServer {
  readonly url: string;
  /** For clients on any host: address, certificate authority and an administrator's token. */
  readonly kubeconfig: string;
  readonly #host: Host;

  static async start(host: Host, address: string, programs: ApiServerPrograms): Promise<ApiServer> {
    await host.writeFile(`${DIRECTORY}/tokens.csv`, `${TOKEN},administrator,administrator,system:masters\n`);
    await host.output(["openssl", "genrsa", "-out", `${DIRECTORY}/accounts.key`, "2048"]);
    const etcd = ["--data-dir", `${DIRECTORY}/etcd`, "--unsafe-no-fsync", "--log-level", "error"];
    await host.spawn([programs.etcd, ...etcd]);
    const server = await host.spawn([
      programs["kube-apiserver"],
      "--etcd-servers=http://127.0.0.1:2379",
      ...[`--bind-address=${address}`, `--advertise-address=${address}`, `--secure-port=${PORT}`],
      `--cert-dir=${DIRECTORY}`,
      `--token-auth-file=${DIRECTORY}/tokens.csv`,
      "--authorization-mode=RBAC",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${DIRECTORY}/accounts.key`,
      `--service-account-signing-key-file=${DIRECTORY}/accounts.key`,
    ]);
    const url = `https://${address}:${PORT}`;
    const probe = ["curl", "-skf", "-o", "/dev/null", "-H", `Authorization: Bearer ${TOKEN}`, `${url}/readyz`];
    const ready = async () => {
      if (!server.running) throw new Error(`Cannot start kube-apiserver:\n${server.log}`);
      return (await host.run(probe)).code === 0;
    };
    await waitFor("the API server ready", ready, { timeout: START_TIMEOUT });
    return new ApiServer(host, url, await host.readFile(`${DIRECTORY}/apiserver.crt`));
  }

  private constructor(host: Host, url: string, authority: string) {
    this.#host = host;
    this.url = url;
    this.kubeconfig = Bun.YAML.stringify(
      {
        apiVersion: "v1",
        kind: "Config",
        "current-context": "lab",
        contexts: [{ name: "lab", context: { cluster: "lab", user: "administrator" } }],
        clusters: [
          {
            name: "lab",
            cluster: { server: url, "certificate-authority-data": Buffer.from(authority).toString("base64") },
          },
        ],
        users: [{ name: "administrator", user: { token: TOKEN } }],
      },
      null,
      2,
    );
  }

  /** Creates or changes an object, and its namespace where that is missing (server-side apply). */
  async apply(object: KubernetesObject): Promise<void> {
    const { namespace } = object.metadata;
    await this.#apply(`/api/v1/namespaces/${namespace}`, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
    });
    await this.#apply(pathOf(object), object);
  }

  async delete(object: KubernetesObject): Promise<void> {
    await this.#request("DELETE", pathOf(object));
  }

  async #apply(path: string, object: object): Promise<void> {
    const query = "?fieldManager=lab&force=true";
    await this.#request("PATCH", `${path}${query}`, JSON.stringify(object));
  }

  async #request(method: string, path: string, body = ""): Promise<void> {
    const headers = [`Authorization: Bearer ${TOKEN}`, "Content-Type: application/apply-patch+yaml"];
    const curl = ["curl", "-sSk", "--fail-with-body", "-X", method, ...headers.flatMap((header) => ["-H", header])];
    await this.#host.output([...curl, "--data-binary", "@-", `${this.url}${path}`], { input: body });
  }
}

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): string {
  const resource = RESOURCES[kind];
  if (resource === undefined) throw new Error(`Cannot find the resource of a kind: current value is ${kind}`);
  const root = apiVersion === "v1" ? "/api" : "/apis";
  return `${root}/${apiVersion}/namespaces/${namespace}/${resource}/${name}`;
}
