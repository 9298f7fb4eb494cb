import { seconds } from "../../src/base/duration.ts";
import type { ApiServer } from "./api-server.ts";
import type { EdgeCertificates } from "./edge-certificates.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./process.ts";
import type { KubernetesObject } from "./service-objects.ts";

const FOLDER = "/etc/kubeedge";
const CONFIG = `${FOLDER}/config/cloudcore.yaml`;
const ACCOUNT = "cloudcore";
const RBAC = "rbac.authorization.k8s.io";
/** It gives custom resources that nobody has installed some seconds. */
const START_TIMEOUT = seconds(60);

const READ = ["get", "list", "watch"];
const WRITE = [...READ, "create", "update", "patch", "delete"];
/** Of the role that KubeEdge's chart gives cloudcore (1.15 to 1.23) what the modules below use: EndpointSlices are not in it. */
const RULES = [
  {
    apiGroups: [""],
    resources: ["nodes", "configmaps", "pods", "secrets", "endpoints", "services", "namespaces"],
    verbs: [...READ, "create", "update"],
  },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: [...READ, "create", "update"] },
  { apiGroups: ["reliablesyncs.kubeedge.io"], resources: ["*"], verbs: WRITE },
];
/** What an agent can use besides. */
const MORE = {
  endpointslices: { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  globalservices: { apiGroups: ["dns.fabedge.io"], resources: ["globalservices"], verbs: READ },
};

/** The real cloudcore on the host of an API server. */
export class KubeEdgeCloud {
  readonly #host: Host;
  readonly #server: ApiServer;
  readonly #program: string;
  #process: LabProcess | undefined;

  static async start(
    host: Host,
    server: ApiServer,
    { program, certificates }: { readonly program: string; readonly certificates: EdgeCertificates },
  ): Promise<KubeEdgeCloud> {
    const cloud = new KubeEdgeCloud(host, server, program);
    await cloud.allow();
    for (const object of clusterObjects()) await server.apply(object);
    const files = {
      "ca/rootCA.crt": "ca.crt",
      "ca/rootCA.key": "ca.key",
      "certs/server.crt": "cloud.crt",
      "certs/server.key": "cloud.key",
    };
    for (const [path, name] of Object.entries(files))
      await host.writeFile(`${FOLDER}/${path}`, await certificates.read(name), "0600");
    await host.writeFile(`${FOLDER}/kubeconfig`, kubeconfigOf(server), "0600");
    await host.writeFile(CONFIG, Bun.YAML.stringify(CONFIGURATION, null, 2));
    await cloud.restart();
    return cloud;
  }

  private constructor(host: Host, server: ApiServer, program: string) {
    this.#host = host;
    this.#server = server;
    this.#program = program;
  }

  /** A new process, which knows nothing of the watches of the one before. */
  async restart(): Promise<void> {
    await this.kill();
    this.#process = await this.#host.spawn([this.#program, "--config", CONFIG], {
      ready: /Starting cloudhub websocket server/,
      timeout: START_TIMEOUT,
    });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  /** What its role has besides what KubeEdge's own has. */
  async allow(...more: readonly (keyof typeof MORE)[]): Promise<void> {
    const metadata = { name: ACCOUNT };
    const rules = [...RULES, ...more.map((resource) => MORE[resource])];
    await this.#server.apply({ apiVersion: `${RBAC}/v1`, kind: "ClusterRole", metadata, rules });
  }
}

function clusterObjects(): readonly KubernetesObject[] {
  const metadata = { name: ACCOUNT };
  const roleRef = { apiGroup: RBAC, kind: "ClusterRole", name: ACCOUNT };
  const subjects = [{ apiGroup: RBAC, kind: "User", name: ACCOUNT }];
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "kubeedge" } },
    { apiVersion: `${RBAC}/v1`, kind: "ClusterRoleBinding", metadata, roleRef, subjects },
    customResource("ObjectSync", "Namespaced"),
    customResource("ClusterObjectSync", "Cluster"),
  ];
}

/** Where cloudcore keeps what each node has been told. */
function customResource(kind: string, scope: "Namespaced" | "Cluster"): KubernetesObject {
  const [group, singular] = ["reliablesyncs.kubeedge.io", kind.toLowerCase()];
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const version = { name: "v1alpha1", served: true, storage: true, subresources: { status: {} }, schema };
  const names = { kind, singular, plural: `${singular}s`, listKind: `${kind}List` };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${names.plural}.${group}` },
    spec: { group, scope, names, versions: [version] },
  };
}

/** The administrator's, who speaks as cloudcore: its rights are cloudcore's. */
function kubeconfigOf(server: ApiServer): string {
  const config = Bun.YAML.parse(server.administratorKubeconfig) as {
    readonly users: readonly { readonly name: string; readonly user: object }[];
  };
  const users = config.users.map(({ name, user }) => ({ name, user: { ...user, as: ACCOUNT } }));
  return Bun.YAML.stringify({ ...config, users }, null, 2);
}

const OFF = { enable: false };
const CONFIGURATION = {
  apiVersion: "cloudcore.config.kubeedge.io/v1alpha1",
  kind: "CloudCore",
  kubeAPIConfig: { kubeConfig: `${FOLDER}/kubeconfig` },
  modules: {
    cloudHub: {
      unixsocket: OFF,
      https: { enable: true, address: "0.0.0.0", port: 10_002 },
      websocket: { enable: true, address: "0.0.0.0", port: 10_000 },
    },
    cloudStream: OFF,
    deviceController: OFF,
    dynamicController: { enable: true },
    iptablesManager: OFF,
    router: OFF,
    taskManager: OFF,
  },
};
