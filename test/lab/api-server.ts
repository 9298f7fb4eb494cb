import { seconds } from "../../src/base/duration.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./process.ts";
import type { KubernetesObject } from "./service-objects.ts";
import { toolPaths } from "./tools.ts";

const DIRECTORY = "/run/kubernetes";
/** Of the server, which is its own authority; it signs the tokens of service accounts as well. */
const [CERTIFICATE, KEY] = [`${DIRECTORY}/apiserver.crt`, `${DIRECTORY}/apiserver.key`];
const PORT = 6443;
/** Each file of the tier has a server of its own, for seconds: collecting its garbage was a tenth of its work. */
const RARELY_COLLECTED = { GOGC: "400" };
/**
 * A start is mostly the description of every kind (OpenAPI) and of how requests share the server. No program of ours asks
 * for these kinds; without the groups of other kinds the server does not get ready.
 */
const LEFT_OUT = ["autoscaling/v1", "autoscaling/v2", "batch/v1", "certificates.k8s.io/v1", "resource.k8s.io/v1"];
/** Measured: 2.4 s on two idle cores. */
const START_TIMEOUT = seconds(90);

const ADMINISTRATOR = "administrator";
/** What an agent needs to read, and nothing besides. */
const READER = "edge-reader";
const READ = ["get", "list", "watch"];
const READER_RULES = [
  { apiGroups: [""], resources: ["services", "endpoints", "nodes"], verbs: READ },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  { apiGroups: ["dns.fabedge.io"], resources: ["globalservices"], verbs: READ },
];
const RBAC = "rbac.authorization.k8s.io";

export interface ApiServerPrograms {
  readonly etcd: string;
  readonly "kube-apiserver": string;
}

/** @throws Error where they cannot be built */
export function apiServerPrograms(): Promise<ApiServerPrograms> {
  return toolPaths("etcd", "kube-apiserver");
}

/** The real kube-apiserver with etcd on a host of the lab. No controller runs: endpoint slices are made by hand. */
export class ApiServer {
  readonly url: string;
  readonly #host: Host;
  readonly #address: string;
  readonly #program: string;
  readonly #flags: readonly string[];
  readonly #namespaces = new Set(["default"]);
  #server: LabProcess | undefined;
  #authority = "";

  /**
   * @param address the host's, where everybody reaches it
   * @param flags more of kube-apiserver's
   */
  static async start(
    host: Host,
    address: string,
    programs: ApiServerPrograms,
    flags: readonly string[] = [],
  ): Promise<ApiServer> {
    const tokens = [`${ADMINISTRATOR},${ADMINISTRATOR},1,system:masters`, `${READER},${READER},2`];
    await host.writeFile(`${DIRECTORY}/tokens.csv`, `${tokens.join("\n")}\n`);
    // Left to itself it makes two RSA keys, and signs a handshake with one for every connection.
    await host.output([
      ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", KEY, "-out", CERTIFICATE, "-subj", "/CN=apiserver", "-days", "365"],
      ...["-addext", `subjectAltName=IP:${address}`],
    ]);
    await host.spawn([programs.etcd, "--data-dir", `${DIRECTORY}/etcd`, "--unsafe-no-fsync"], {
      env: RARELY_COLLECTED,
      ready: /ready to serve client requests/,
      timeout: START_TIMEOUT,
    });
    const server = new ApiServer(host, address, programs["kube-apiserver"], flags);
    await server.restart();
    await server.#admitReader();
    return server;
  }

  private constructor(host: Host, address: string, program: string, flags: readonly string[]) {
    this.url = `https://${address}:${PORT}`;
    this.#host = host;
    this.#address = address;
    this.#program = program;
    this.#flags = flags;
  }

  /** For an agent on any host: address, certificate authority, and an account that may read what an agent needs. */
  get kubeconfig(): string {
    return this.#kubeconfigOf(READER);
  }

  /** The same for somebody who may do everything. */
  get administratorKubeconfig(): string {
    return this.#kubeconfigOf(ADMINISTRATOR);
  }

  /** Ends it as a crash does: every client's watches break at once. */
  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  /** A new process, with the objects and the certificate of the one before. */
  async restart(): Promise<void> {
    await this.kill();
    const address = this.#address;
    const argv = [
      "--etcd-servers=http://127.0.0.1:2379",
      ...[`--bind-address=${address}`, `--advertise-address=${address}`, `--secure-port=${PORT}`],
      ...[`--tls-cert-file=${CERTIFICATE}`, `--tls-private-key-file=${KEY}`],
      `--token-auth-file=${DIRECTORY}/tokens.csv`,
      "--authorization-mode=RBAC",
      "--allow-privileged=true",
      "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
      "--service-account-issuer=https://kubernetes.default.svc",
      ...[`--service-account-key-file=${CERTIFICATE}`, `--service-account-signing-key-file=${KEY}`],
      `--runtime-config=${LEFT_OUT.map((group) => `${group}=false`).join(",")}`,
      "--enable-priority-and-fairness=false",
      ...this.#flags,
    ];
    this.#server = await this.#host.spawn([this.#program, ...argv], {
      env: RARELY_COLLECTED,
      ready: async () => (await this.#send([this.#request("GET", "/readyz", { "max-time": "5" })])) === "ok",
      timeout: START_TIMEOUT,
    });
    this.#authority = await this.#host.readFile(CERTIFICATE);
  }

  /**
   * Creates or changes an object, and its namespace where that is missing (server-side apply).
   *
   * @returns the object as the server completed it
   */
  async apply(object: KubernetesObject): Promise<KubernetesObject> {
    const { namespace } = object.metadata;
    if (namespace !== undefined && !this.#namespaces.has(namespace)) {
      this.#namespaces.add(namespace);
      await this.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    }
    return JSON.parse(await this.#send([this.#applying(object)]));
  }

  /** Many over one connection. Their namespaces have to be there. */
  async applyAll(objects: readonly KubernetesObject[]): Promise<void> {
    await this.#send(objects.map((object) => this.#applying(object)));
  }

  async delete(object: KubernetesObject): Promise<void> {
    await this.#send([this.#request("DELETE", pathOf(object))]);
  }

  #kubeconfigOf(account: string): string {
    const cluster = { server: this.url, "certificate-authority-data": Buffer.from(this.#authority).toString("base64") };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "lab",
      contexts: [{ name: "lab", context: { cluster: "lab", user: account } }],
      clusters: [{ name: "lab", cluster }],
      users: [{ name: account, user: { token: account } }],
    };
    return Bun.YAML.stringify(config, null, 2);
  }

  async #admitReader(): Promise<void> {
    const [apiVersion, metadata] = [`${RBAC}/v1`, { name: READER }];
    const roleRef = { apiGroup: RBAC, kind: "ClusterRole", name: READER };
    const subjects = [{ apiGroup: RBAC, kind: "User", name: READER }];
    await this.apply({ apiVersion, kind: "ClusterRole", metadata, rules: READER_RULES });
    await this.apply({ apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects });
  }

  #applying(object: KubernetesObject): string {
    return this.#request("PATCH", `${pathOf(object)}?fieldManager=lab&force=true`, {
      header: "Content-Type: application/apply-patch+yaml",
      data: JSON.stringify(object),
    });
  }

  /** A request as curl's configuration file has it. The server's certificate is its own authority. */
  #request(method: string, path: string, more: Readonly<Record<string, string>> = {}): string {
    const options = { request: method, url: this.url + path, cacert: CERTIFICATE, ...more };
    const lines = Object.entries(options).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    return [`header = "Authorization: Bearer ${ADMINISTRATOR}"`, "fail-with-body", ...lines].join("\n");
  }

  #send(requests: readonly string[]): Promise<string> {
    const argv = ["curl", "--silent", "--show-error", "--fail-early", "--config", "-"];
    return this.#host.output(argv, { input: requests.join("\nnext\n"), timeout: START_TIMEOUT });
  }
}

function pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): string {
  const root = apiVersion.includes("/") ? "/apis" : "/api";
  const folder = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${root}/${apiVersion}${folder}/${kind.toLowerCase().replace(/s?$/, "s")}/${name}`;
}
