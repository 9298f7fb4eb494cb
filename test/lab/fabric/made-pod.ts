import { Namespace } from "../namespace.ts";
import type { EdgeNode } from "./network.ts";

const FILES = "/var/lib/cni/networks/fabedge";

interface CniAnswer {
  readonly ips: readonly { readonly address: string }[];
}

/** What a container runtime hands on of a pod: its host ports and bandwidth annotations. */
export type PodCapabilities = Readonly<Record<string, unknown>>;

/** A pod that the runtimes' own library makes on an edge node, by what the agent has put there. */
export class MadePod extends Namespace {
  readonly addresses: readonly string[];
  readonly #node: EdgeNode;
  readonly #cnitool: string;
  readonly #capabilities: PodCapabilities;

  /** @param cnitool its path, from scripts/tools */
  static async add(
    node: EdgeNode,
    cnitool: string,
    name: string,
    capabilities: PodCapabilities = {},
  ): Promise<MadePod> {
    await node.host.ip(`netns add ${name}`);
    const { ips }: CniAnswer = JSON.parse(await call("add", node, cnitool, name, capabilities));
    const addresses = ips.map(({ address }) => address.replace(/\/\d+$/, ""));
    return new MadePod(node, cnitool, name, capabilities, addresses);
  }

  private constructor(
    node: EdgeNode,
    cnitool: string,
    name: string,
    capabilities: PodCapabilities,
    addresses: readonly string[],
  ) {
    super(name, [...node.host.enter, "ip", "netns", "exec", name]);
    this.#node = node;
    this.#cnitool = cnitool;
    this.#capabilities = capabilities;
    this.addresses = addresses;
  }

  /** Its programs end with their namespace's interfaces: nobody reaches them. */
  async remove(): Promise<void> {
    await call("del", this.#node, this.#cnitool, this.name, this.#capabilities);
    await this.#node.host.ip(`netns delete ${this.name}`);
  }
}

/** @returns the addresses that the node's files give to somebody */
export async function reservedAddresses({ host }: EdgeNode): Promise<readonly string[]> {
  const names = (await host.output(["ls", FILES])).trim().split("\n");
  return names.filter((name) => /^[\da-f]+[.:]/.test(name));
}

function call(
  command: "add" | "del",
  { host }: EdgeNode,
  cnitool: string,
  name: string,
  capabilities: PodCapabilities,
): Promise<string> {
  return host.output([cnitool, command, "fabedge", `/run/netns/${name}`], {
    env: {
      NETCONFPATH: "/etc/cni/net.d",
      CNI_PATH: "/var/lib/cni/bin",
      CAP_ARGS: JSON.stringify(capabilities),
    },
  });
}
