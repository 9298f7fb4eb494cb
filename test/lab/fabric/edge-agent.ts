import { resolve } from "node:path";
import { Charon } from "../charon.ts";
import type { LabProcess } from "../process.ts";
import { CLUSTER_CIDRS, type FabricCluster } from "./cluster.ts";
import type { EdgeNode } from "./network.ts";

const PROGRAM = resolve(import.meta.dir, "../../../dist/selvedge-linux-x64");
const DNS_ADDRESS = "169.254.25.10";

/** An edge node's agent with its charon, as their units start them. Needs the compiled programs in dist. */
export class EdgeAgent {
  readonly node: EdgeNode;
  readonly charon: Charon;
  readonly #cluster: FabricCluster;
  #program: LabProcess | undefined;

  static async start(cluster: FabricCluster, node: EdgeNode): Promise<EdgeAgent> {
    const agent = new EdgeAgent(cluster, node, await Charon.start(node.host));
    await agent.start();
    return agent;
  }

  private constructor(cluster: FabricCluster, node: EdgeNode, charon: Charon) {
    this.#cluster = cluster;
    this.node = node;
    this.charon = charon;
  }

  /** @returns when services and names are up; tunnels come by themselves */
  async start(): Promise<void> {
    const { host, name } = this.node;
    this.#program = await host.spawn(
      [
        ...[PROGRAM, "run", `--node-name=${name}`, "--source=api-server", `--kubeconfig=${this.#cluster.kubeconfig}`],
        `--dns-bind-ip=${DNS_ADDRESS}`,
        // The operator says it, too: its unit would start it a second time for that.
        `--proxy-cluster-cidr=${CLUSTER_CIDRS.join(",")}`,
        // /opt is this machine's.
        "--cni-bin-path=/var/lib/cni/bin",
      ],
      { ready: /agent\.ready/ },
    );
  }

  get program(): LabProcess {
    if (this.#program === undefined) throw new Error(`Cannot speak of ${this.node.name}'s agent as it was not started`);
    return this.#program;
  }

  /** `selvedge …` on the node. @returns what it prints */
  command(...words: readonly string[]): Promise<string> {
    return this.node.host.output([PROGRAM, ...words]);
  }
}
