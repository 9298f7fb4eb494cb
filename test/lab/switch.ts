import { Link } from "./link.ts";
import type { Namespace } from "./namespace.ts";

/** An Ethernet switch: a bridge without addresses in the parent namespace. */
export class Switch {
  readonly name: string;
  readonly #lab: Namespace;
  readonly #nextPort: () => string;

  static async create(lab: Namespace, name: string, nextPort: () => string): Promise<Switch> {
    await lab.ip(`link add ${name} type bridge mcast_snooping 0`, `link set ${name} up`);
    return new Switch(lab, name, nextPort);
  }

  private constructor(lab: Namespace, name: string, nextPort: () => string) {
    this.name = name;
    this.#lab = lab;
    this.#nextPort = nextPort;
  }

  /** @param end the name of the interface that the host gets */
  async cable(host: string, end: string): Promise<Link> {
    const port = this.#nextPort();
    await this.#lab.ip(
      `link add ${port} master ${this.name} type veth peer name ${end} netns ${host}`,
      `link set ${port} up alias "${host} ${end}"`,
    );
    return new Link(this.#lab, end, port, this.name);
  }
}
