import { resolve } from "node:path";
import type { LabProcess } from "../process.ts";
import type { FabricCluster } from "./cluster.ts";
import type { CloudNode } from "./network.ts";

const PROGRAM = resolve(import.meta.dir, "../../../dist/selvedge-cloud-linux-x64");

/** Starts the node-agent of a cloud node that has no connector. Needs the compiled programs in dist. */
export async function startNodeAgent(cluster: FabricCluster, { host, name }: CloudNode): Promise<LabProcess> {
  return await host.spawn([PROGRAM, "node-agent", `--kubeconfig=${cluster.kubeconfig}`, `--node-name=${name}`], {
    ready: /node-agent\.started/,
  });
}
