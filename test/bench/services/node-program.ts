import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../lab/host.ts";
import type { LabProcess } from "../../lab/process.ts";
import type { Layout } from "./observer.ts";

const AGENT = join(import.meta.dir, "../../../dist/selvedge-linux-x64");
const KUBECONFIG = "/etc/kubeconfig";
const KUBE_PROXY_CONFIGURATION = "/etc/kube-proxy.yaml";
const METRICS = "127.0.0.1:10249";

/** A program that carries services into the kernel of its node. */
export interface NodeProgram {
  readonly name: string;
  readonly layout: Layout;
  /** @param node the name of the host, and of the node in the API server */
  start(node: Host, kubeconfig: string): Promise<LabProcess>;
  /** Removes what it keeps on disk. */
  forget(node: Host): Promise<void>;
}

/** The compiled agent, of its own copy: a build meanwhile changes nothing. */
export class Selvedge implements NodeProgram, Disposable {
  readonly name = "selvedge";
  readonly layout = "selvedge";
  readonly #folder = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  readonly #program = join(this.#folder, "selvedge");

  constructor() {
    copyFileSync(AGENT, this.#program);
  }

  async start(node: Host, kubeconfig: string): Promise<LabProcess> {
    await node.writeFile(KUBECONFIG, kubeconfig, "0600");
    const source = ["--source", "api-server", "--kubeconfig", KUBECONFIG];
    return node.spawn([this.#program, "run", "--node-name", node.name, ...source]);
  }

  async forget(node: Host): Promise<void> {
    await node.output(["rm", "-rf", "/var/lib/selvedge"]);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The real one, in nftables mode. */
export class KubeProxy implements NodeProgram {
  readonly name: string;
  readonly layout = "kube-proxy";
  readonly #program: string;
  readonly #minSyncPeriod: string;

  /** @param minSyncPeriod the least time from one of its transactions to the next; its default is 1s, and 0 means that too */
  constructor(program: string, name: string, minSyncPeriod: string) {
    this.name = name;
    this.#program = program;
    this.#minSyncPeriod = minSyncPeriod;
  }

  async start(node: Host, kubeconfig: string): Promise<LabProcess> {
    await node.writeFile(KUBECONFIG, kubeconfig, "0600");
    const configuration = {
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      clientConnection: { kubeconfig: KUBECONFIG },
      hostnameOverride: node.name,
      mode: "nftables",
      nftables: { minSyncPeriod: this.#minSyncPeriod },
      metricsBindAddress: METRICS,
      healthzBindAddress: "127.0.0.1:10256",
      // The machine's limit of connections is not this node's to set.
      conntrack: { maxPerCore: 0, min: 0 },
    };
    await node.writeFile(KUBE_PROXY_CONFIGURATION, JSON.stringify(configuration));
    return node.spawn([this.#program, "--config", KUBE_PROXY_CONFIGURATION]);
  }

  async forget(): Promise<void> {}

  /** How long its full synchronisations took altogether, planning and kernel, and how many there were: IPv4. */
  async fullSyncs(node: Host): Promise<{ readonly count: number; readonly seconds: number }> {
    const metrics = await node.output(["curl", "--silent", "--show-error", "--fail", `http://${METRICS}/metrics`]);
    const value = (suffix: string) => {
      const name = `kubeproxy_sync_full_proxy_rules_duration_seconds_${suffix}`;
      return Number(new RegExp(`^${name}\\{ip_family="IPv4"\\} (\\S+)$`, "m").exec(metrics)?.[1] ?? 0);
    };
    return { count: value("count"), seconds: value("sum") };
  }
}
