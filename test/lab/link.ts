import type { Namespace } from "./namespace.ts";

/** A cable between a host and a switch. */
export class Link {
  /** The host's end. */
  readonly name: string;
  /** Where its other end belongs. */
  readonly switch: string;
  readonly #lab: Namespace;
  readonly #port: string;

  constructor(lab: Namespace, name: string, port: string, switchName: string) {
    this.name = name;
    this.#lab = lab;
    this.#port = port;
    this.switch = switchName;
  }

  /** Pulls the cable: the host sees its carrier go. */
  unplug(): Promise<void> {
    return this.#lab.ip(`link set ${this.#port} down`);
  }

  plug(): Promise<void> {
    return this.#lab.ip(`link set ${this.#port} up`);
  }

  /** What a broken uplink further away does: the carrier stays, and no packet arrives. */
  silence(): Promise<void> {
    return this.#lab.ip(`link set ${this.#port} nomaster`);
  }

  /** Plugs its far end into another switch, until it is restored. */
  detour(switchName: string): Promise<void> {
    return this.#lab.ip(`link set ${this.#port} master ${switchName}`);
  }

  restore(): Promise<void> {
    return this.#lab.ip(`link set ${this.#port} master ${this.switch}`);
  }
}
