import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minutes } from "../../../src/base/duration.ts";
import { ApiServer, apiServerPrograms } from "../../lab/api-server.ts";
import type { Host } from "../../lab/host.ts";
import { Lab } from "../../lab/lab.ts";
import type { LabProcess } from "../../lab/process.ts";
import { toolPaths } from "../../lab/tools.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { Station } from "../services/station.ts";
import { CLUSTER } from "./bench-nodes.ts";
import { type ClusterCommands, METRICS_ADDRESS } from "./cluster-station.ts";

const ADDRESS = "192.0.2.1";
const KUBECONFIG = "/etc/kubernetes/kubeconfig";
const CRDS = join(import.meta.dir, "../../../cloud/crds");
/** Of the lab's API server: its account and its token. */
const ADMINISTRATOR = "administrator";
/** So long a first fill may take: on two cores it is the API server and etcd that take their time. */
const SETTLE_TIMEOUT = minutes(10);

/** A real API server with more and more nodes, and the compiled operator beside it. */
export class OperatorWorld implements AsyncDisposable {
  readonly station: Station<ClusterCommands>;
  readonly #lab: Lab;
  readonly #cloud: Host;
  readonly #kubectl: readonly string[];
  /** The operator's own copy: a build meanwhile changes nothing. */
  readonly #folder = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  #nodes = 0;

  /** @param program the compiled one */
  static async create(program: string): Promise<OperatorWorld> {
    const { kubectl } = await toolPaths("kubectl");
    const programs = await apiServerPrograms();
    const lab = await Lab.create();
    try {
      const cloud = await lab.host("cloud");
      await cloud.connect(await lab.switch("wan"), { address: `${ADDRESS}/24` });
      const server = await ApiServer.start(cloud, ADDRESS, programs);
      await cloud.writeFile(KUBECONFIG, server.administratorKubeconfig, "0600");
      const station = new Station<ClusterCommands>(cloud, join(import.meta.dir, "cluster-station.ts"));
      await station.ask("open", { url: server.url, token: ADMINISTRATOR });
      const world = new OperatorWorld(lab, cloud, station, [kubectl, `--kubeconfig=${KUBECONFIG}`]);
      copyFileSync(program, world.#program);
      await world.#administer("apply", "--server-side", `--filename=${CRDS}`);
      const crds = ["crd/communities.fabedge.io", "crd/clusters.fabedge.io"];
      await world.#administer("wait", "--for=condition=Established", ...crds);
      return world;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, cloud: Host, station: Station<ClusterCommands>, kubectl: readonly string[]) {
    this.#lab = lab;
    this.#cloud = cloud;
    this.station = station;
    this.#kubectl = kubectl;
  }

  /** Adds nodes and communities until there are so many nodes. */
  async grow(nodes: number): Promise<void> {
    await this.station.ask("grow", { from: this.#nodes, to: nodes });
    this.#nodes = nodes;
  }

  /** Where an operator has written nothing yet. */
  async addNamespace(name: string): Promise<void> {
    await this.#administer("create", "namespace", name);
  }

  /** @returns at once, and not when it works */
  start(namespace: string): Promise<LabProcess> {
    return this.#cloud.spawn([
      ...[this.#program, "operator", `--namespace=${namespace}`, `--cluster=${CLUSTER}`, "--cni-type=flannel"],
      ...["--cluster-cidr=10.0.0.0/8", "--connector-public-addresses=198.51.100.1"],
      ...[`--http-bind=${METRICS_ADDRESS}`, `--kubeconfig=${KUBECONFIG}`],
    ]);
  }

  /**
   * Until the operator leads and has nothing left to do.
   *
   * @param keys what it has had to look at by then, at least
   * @returns its metrics
   */
  async settled(keys: number): Promise<OperatorMetrics> {
    return await waitFor(
      `an operator that has looked at ${keys} objects`,
      async () => {
        const metrics = new OperatorMetrics(await this.station.ask("metrics", null));
        const rest = metrics.sum("workqueue_depth") + metrics.sum("workqueue_unfinished_work_seconds");
        // The authority's next look is always ahead.
        const done = rest === 0 && metrics.sum("workqueue_delayed") <= 1;
        return metrics.sum("operator_leader") === 1 && metrics.sum("workqueue_adds_total") >= keys && done && metrics;
      },
      { timeout: SETTLE_TIMEOUT },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.station[Symbol.asyncDispose]();
    await this.#lab.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#folder, "selvedge-cloud");
  }

  async #administer(...words: readonly string[]): Promise<void> {
    await this.#cloud.output([...this.#kubectl, ...words]);
  }
}

/** What Prometheus would read. */
export class OperatorMetrics {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Over all label sets; 0 where there is none yet. */
  sum(name: string): number {
    const samples = this.#text.matchAll(new RegExp(`^selvedge_${name}(?:\\{.*\\})? (\\S+)$`, "gm"));
    return samples.reduce((sum, [, value]) => sum + Number(value), 0);
  }
}

/** The most that a process ever had in memory (proc(5)). */
export function peakResidentBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024;
}
