import { resolve } from "node:path";
import { parsePrefix } from "../../../src/base/ip.ts";
import { CHARON_TABLE } from "../../../src/strongswan/charon-config.ts";
import { lastAddress } from "../../../src/wire/nftables-range.ts";
import { Charon } from "../charon.ts";
import type { LabProcess } from "../process.ts";
import { waitFor } from "../wait-for.ts";
import { type FabricCluster, SERVICE_CIDRS } from "./cluster.ts";
import type { CloudNode, FabricNetwork } from "./network.ts";

const PROGRAM = resolve(import.meta.dir, "../../../dist/selvedge-cloud-linux-x64");
const HTTP = "127.0.0.1:8082";

/** A cloud node's connector as its pod has it: charon, and our program beside it. Needs the compiled programs in dist. */
export class CloudConnector {
  readonly node: CloudNode;
  readonly charon: Charon;
  readonly #cluster: FabricCluster;
  #program: LabProcess | undefined;

  static async start(cluster: FabricCluster, node: CloudNode): Promise<CloudConnector> {
    await addAnchors(cluster.network, node);
    const connector = new CloudConnector(cluster, node, await Charon.start(node.host, { role: "connector" }));
    await connector.start();
    return connector;
  }

  private constructor(cluster: FabricCluster, node: CloudNode, charon: Charon) {
    this.#cluster = cluster;
    this.node = node;
    this.charon = charon;
  }

  /** @returns when it has read the cluster and written its routes */
  async start(): Promise<void> {
    const { host, name } = this.node;
    this.#program = await host.spawn(
      [PROGRAM, "connector", `--kubeconfig=${this.#cluster.kubeconfig}`, `--node-name=${name}`, `--http-bind=${HTTP}`],
      { ready: /connector\.started/ },
    );
  }

  get program(): LabProcess {
    if (this.#program === undefined)
      throw new Error(`Cannot speak of ${this.node.name}'s connector as it was not started`);
    return this.#program;
  }

  /** @returns the body of /readyz and /metrics */
  ask(path: string): Promise<string> {
    return this.node.host.output(["curl", "-s", `http://${HTTP}${path}`]);
  }
}

/**
 * Where charon does ESP itself, it installs a child only if an address of its host lies in each of the child's local
 * selectors (kernel_libipsec_ipsec.c, install_route); the kernel's ESP asks for nothing of the kind. Of other nodes a
 * connector has none: so it gets addresses that only charon sees, as they are local in no table but charon's own.
 */
async function addAnchors({ control, clouds }: FabricNetwork, own: CloudNode): Promise<void> {
  const others = [control, ...clouds].filter((node) => node !== own);
  const inside = [...SERVICE_CIDRS, ...others.flatMap(({ podCidrs }) => podCidrs)].map(lastOf);
  const addresses = [...inside, ...others.map(({ address }) => address)];
  await own.host.ip("link add anchor type bridge", "link set anchor up");
  for (const address of addresses) {
    const ip = ["ip", address.includes(":") ? "-6" : "-4"];
    await own.host.output([
      ...ip,
      "address",
      "add",
      address,
      "dev",
      "anchor",
      ...(address.includes(":") ? ["nodad"] : []),
    ]);
    await own.host.output([...ip, "route", "add", "local", address, "dev", "anchor", "table", String(CHARON_TABLE)]);
    // The kernel makes the route of an IPv6 address a moment later.
    await waitFor(`the local route of ${address}`, async () => {
      const { code } = await own.host.run([...ip, "route", "del", "local", address, "dev", "anchor", "table", "local"]);
      return code === 0;
    });
  }
}

function lastOf(cidr: string): string {
  const prefix = parsePrefix(cidr);
  if (!prefix.ok) throw new Error(`${cidr}: ${prefix.error.why}`);
  return lastAddress(prefix.value);
}
