import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../lab/api-server.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import type { Link } from "../lab/link.ts";
import type { LabProcess } from "../lab/process.ts";
import type { KubernetesObject } from "../lab/service-objects.ts";
import type { Switch } from "../lab/switch.ts";
import { toolPaths } from "../lab/tools.ts";
import { benchName } from "./dns-services.ts";
import { benchNamespace, benchObjects, NAMESPACES, serviceAddress } from "./services/bench-services.ts";
import { Station } from "./services/station.ts";
import type { WriterCommands } from "./services/writer.ts";

const AGENT = join(import.meta.dir, "../../dist/selvedge-linux-x64");
const CLOUD_ADDRESS = "192.0.2.1";
/** On a link that the agent makes where it runs; elsewhere somebody has to give it to the node. */
export const DNS_ADDRESS = "169.254.25.10";
const KUBECONFIG = "/etc/kubernetes/kubeconfig";
const START_TIMEOUT = seconds(60);
/** Of the lab's API server: its account and its token. */
const ADMINISTRATOR = "administrator";

export interface BenchNode {
  readonly host: Host;
  readonly uplink: Link;
}

export interface StartOptions {
  /** Words before the command, such as taskset's. */
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A cloud with the real API server, which has services of two endpoints each, and nodes that use it. */
export class ClusterWorld implements AsyncDisposable {
  readonly services: number;
  readonly #lab: Lab;
  readonly #wan: Switch;
  readonly #cloud: Host;
  readonly #server: ApiServer;
  readonly #writer: Station<WriterCommands>;
  /** The agent's own copy: a build meanwhile changes nothing. */
  readonly #folder = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  #nodes = 0;

  static async create(services: number): Promise<ClusterWorld> {
    const programs = await apiServerPrograms();
    const lab = await Lab.create();
    try {
      const wan = await lab.switch("wan");
      const cloud = await lab.host("cloud");
      await cloud.connect(wan, { address: `${CLOUD_ADDRESS}/24` });
      const server = await ApiServer.start(cloud, CLOUD_ADDRESS, programs);
      const writer = new Station<WriterCommands>(cloud, join(import.meta.dir, "services/writer.ts"));
      await writer.ask("open", { url: server.url, token: ADMINISTRATOR });
      await writer.ask("create", clusterObjects(services));
      return new ClusterWorld(services, lab, wan, cloud, server, writer);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(
    services: number,
    lab: Lab,
    wan: Switch,
    cloud: Host,
    server: ApiServer,
    writer: Station<WriterCommands>,
  ) {
    this.services = services;
    this.#lab = lab;
    this.#wan = wan;
    this.#cloud = cloud;
    this.#server = server;
    this.#writer = writer;
    copyFileSync(AGENT, join(this.#folder, "selvedge"));
  }

  /** Of an account that may do everything: CoreDNS and kube-proxy read more than services. */
  get kubeconfig(): string {
    return this.#server.administratorKubeconfig;
  }

  async node(name: string): Promise<BenchNode> {
    const address = `192.0.2.${11 + this.#nodes++}`;
    // kube-proxy waits half a minute for the address of its node.
    const status = { addresses: [{ type: "InternalIP", address }] };
    await this.#writer.ask("create", [{ apiVersion: "v1", kind: "Node", metadata: { name }, status }]);
    const host = await this.#lab.host(name);
    const uplink = await host.connect(this.#wan, { address: `${address}/24`, gateway: CLOUD_ADDRESS });
    await host.writeFile(KUBECONFIG, this.kubeconfig, "0600");
    await host.writeFile("/etc/resolv.conf", `nameserver ${CLOUD_ADDRESS}\n`);
    return { host, uplink };
  }

  /** The command of the agent on a node. */
  agent(node: Host): readonly string[] {
    const source = ["--source", "api-server", "--kubeconfig", KUBECONFIG, "--dns-bind-ip", DNS_ADDRESS];
    return [join(this.#folder, "selvedge"), "run", "--node-name", node.name, ...source];
  }

  startAgent(node: Host, { prefix = [], env = {} }: StartOptions = {}): Promise<LabProcess> {
    return this.#startServer(node, [...prefix, ...this.agent(node)], 53, env);
  }

  /** What takes everything of the agent out of the kernel, as a reboot does. */
  async forgetAgent(node: Host): Promise<void> {
    await node.output([join(this.#folder, "selvedge"), "cleanup"]);
  }

  /** The command of CoreDNS on a node. @param plugins the lines of its Corefile, with KUBECONFIG for where that is */
  async coreDns(node: Host, plugins: string, port: number): Promise<readonly string[]> {
    const { coredns } = await toolPaths("coredns");
    const file = `/etc/coredns/Corefile-${port}`;
    await node.writeFile(
      file,
      `.:${port} {\n  bind ${DNS_ADDRESS}\n${plugins.replaceAll("KUBECONFIG", KUBECONFIG)}}\n`,
    );
    return [coredns, "-conf", file];
  }

  async startCoreDns(node: Host, plugins: string, port: number, options: StartOptions = {}): Promise<LabProcess> {
    const argv = [...(options.prefix ?? []), ...(await this.coreDns(node, plugins, port))];
    return await this.#startServer(node, argv, port, options.env);
  }

  async startUnbound(node: Host, port: number, { prefix = [] }: StartOptions = {}): Promise<LabProcess> {
    const file = "/etc/unbound/bench.conf";
    await node.writeFile(file, this.#unboundConfiguration(port));
    return await this.#startServer(node, [...prefix, "unbound", "-d", "-c", file], port);
  }

  /** What the cloud does by itself now and then is not to be on the processor of what is measured. */
  async pinCloud(cpu: string): Promise<void> {
    const script = 'for pid in $(pidof kube-apiserver etcd); do taskset --all-tasks --cpu-list --pid "$1" "$pid"; done';
    await this.#cloud.output(["sh", "-euc", script, "sh", cpu]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
    await this.#lab.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** @returns when it answers for the last service */
  async #startServer(
    node: Host,
    argv: readonly string[],
    port: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<LabProcess> {
    const [name, address] = [benchName(this.services - 1), serviceAddress(this.services - 1)];
    const question = ["dig", "+short", "+tries=1", "+time=1", "-p", String(port), `@${DNS_ADDRESS}`, name, "A"];
    const answers = async () => (await node.run(question)).stdout.trim() === address;
    return await node.spawn(argv, { env, ready: answers, timeout: START_TIMEOUT });
  }

  /** The same names and addresses, as local data. */
  #unboundConfiguration(port: number): string {
    const data = Array.from({ length: this.services }, (_, i) => {
      return `  local-data: "${benchName(i)}. 30 IN A ${serviceAddress(i)}"\n`;
    });
    return `server:
  interface: ${DNS_ADDRESS}@${port}
  ip-freebind: yes
  do-daemonize: no
  num-threads: 1
  use-syslog: no
  verbosity: 0
  chroot: ""
  username: ""
  pidfile: ""
  module-config: "iterator"
  minimal-responses: yes
  access-control: 0.0.0.0/0 allow
  local-zone: "cluster.local." static
${data.join("")}remote-control:
  control-enable: no
`;
  }
}

function clusterObjects(services: number): readonly KubernetesObject[] {
  const namespaces = Array.from({ length: NAMESPACES }, (_, i) => {
    return { apiVersion: "v1", kind: "Namespace", metadata: { name: benchNamespace(i) } };
  });
  return [...namespaces, ...Array.from({ length: services }, (_, i) => benchObjects(i)).flat()];
}
