import { Holder } from "./holder.ts";
import { Host } from "./host.ts";
import type { Namespace } from "./namespace.ts";
import { Switch } from "./switch.ts";

/** Names become interface names, of which the kernel takes 15 bytes (IFNAMSIZ, linux/if.h). */
const NAME = /^[a-z][a-z0-9-]{0,14}$/;

/**
 * Machines and the cables between them, as network namespaces inside a parent namespace that has no link to this machine:
 * no packet gets out. Needs root, `ip`, `nsenter` and `unshare`. When the lab is closed, or its maker dies in whatever way,
 * every process, link and private file of it is gone.
 *
 *     await using lab = await Lab.create();
 *     const lan = await lab.switch("lan");
 *     const host = await lab.host("edge1");
 *     const link = await host.connect(lan, { address: "192.168.1.11/24", gateway: "192.168.1.1" });
 *     const pod = await host.pod("web", { address: "10.244.1.5/24", bridge: { name: "cni0", address: "10.244.1.1/24" } });
 *     const server = await pod.spawn(["python3", "-m", "http.server"], { ready: /Serving/ });
 *     await link.unplug();
 */
export class Lab implements AsyncDisposable {
  /** Where the switches are. */
  readonly namespace: Namespace;
  readonly #holder: Holder;
  readonly #names = new Set<string>();
  #ports = 0;

  static async create(): Promise<Lab> {
    return new Lab(await Holder.start());
  }

  private constructor(holder: Holder) {
    this.#holder = holder;
    this.namespace = holder.namespace;
  }

  async switch(name: string): Promise<Switch> {
    this.#take(name);
    return await Switch.create(this.namespace, name, () => `port${this.#ports++}`);
  }

  /** A machine. It forwards, as a Kubernetes node does for its pods: with two cables it is a router. */
  host(name: string): Promise<Host> {
    return this.#newHost(name, true);
  }

  /** Everything ends, at once; it may be called again. */
  async close(): Promise<void> {
    await this.#holder.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #newHost(name: string, forwarding: boolean): Promise<Host> {
    this.#take(name);
    const enter = await this.#holder.newHost(name, forwarding);
    return new Host(name, enter, this.namespace, (pod) => this.#newHost(pod, false));
  }

  #take(name: string): void {
    if (!NAME.test(name))
      throw new Error(`Cannot name something of a lab as the name does not match ${NAME}: current value is ${name}`);
    if (this.#names.has(name)) throw new Error(`Cannot use a name twice in a lab: current value is ${name}`);
    this.#names.add(name);
  }
}
