import { join } from "node:path";
import type { Host } from "../../lab/host.ts";
import type { Lab } from "../../lab/lab.ts";
import type { Switch } from "../../lab/switch.ts";
import { ENDPOINT_NETWORK, ENDPOINT_PORT } from "./bench-services.ts";
import type { ConnectorCommands } from "./connector.ts";
import type { ObserverCommands } from "./observer.ts";
import { Station } from "./station.ts";

/** Clients and endpoints do not compete for a processor; the node's forwarding runs on its callers'. */
const CLIENT_CPU = "0";
const SERVER_CPU = "1";

/**
 * A client, a node and a server that has all endpoints, cabled one behind the other. The node translates services where
 * a program made it, and otherwise only forwards. Each path is a world of its own: addresses are the same in all.
 */
export class ServicePath implements AsyncDisposable {
  readonly node: Host;
  readonly client: Host;
  readonly connector: Station<ConnectorCommands>;
  readonly observer: Station<ObserverCommands>;

  /** @param address the node's on the uplink, behind which the API server is */
  static async create(lab: Lab, name: string, uplink: Switch, address: string): Promise<ServicePath> {
    const node = await lab.host(name);
    const client = await lab.host(`${name}-c`);
    const server = await lab.host(`${name}-s`);
    await node.connect(uplink, { address: `${address}/24` });
    await lab.namespace.ip(
      `link add eth0 netns ${client.name} type veth peer name client0 netns ${node.name}`,
      `link add eth0 netns ${server.name} type veth peer name server0 netns ${node.name}`,
    );
    await node.ip(
      "address add 10.61.0.1/24 dev client0",
      "link set client0 up",
      "address add 10.62.0.1/24 dev server0",
      "link set server0 up",
      `route add ${ENDPOINT_NETWORK} via 10.62.0.2`,
    );
    await client.ip("address add 10.61.0.2/24 dev eth0", "link set eth0 up", "route add default via 10.61.0.1");
    await server.ip("address add 10.62.0.2/24 dev eth0", "link set eth0 up", "route add default via 10.62.0.1");
    await server.ip(`route add local ${ENDPOINT_NETWORK} dev lo`);
    const acceptor = join(import.meta.dir, "acceptor.ts");
    await server.spawn(["taskset", "-c", SERVER_CPU, process.execPath, acceptor, String(ENDPOINT_PORT)], {
      ready: /listening/,
    });
    return new ServicePath(node, client);
  }

  private constructor(node: Host, client: Host) {
    this.node = node;
    this.client = client;
    this.connector = new Station(client, join(import.meta.dir, "connector.ts"), ["taskset", "-c", CLIENT_CPU]);
    this.observer = new Station(node, join(import.meta.dir, "observer.ts"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connector[Symbol.asyncDispose]();
    await this.observer[Symbol.asyncDispose]();
  }
}
