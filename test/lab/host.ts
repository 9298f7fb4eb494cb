import { chmodSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import type { Link } from "./link.ts";
import { Namespace } from "./namespace.ts";
import type { Switch } from "./switch.ts";

export interface Attachment {
  /** With its prefix length: `192.168.0.11/24`. */
  readonly address: string | readonly string[];
  /** Where everything else goes. */
  readonly gateway?: string | readonly string[];
}

export interface PodOptions {
  readonly address: string | readonly string[];
  /** The bridge on the host that the pod hangs on, made when its first pod comes; its addresses are the pods' gateways. */
  readonly bridge: { readonly name: string; readonly address: string | readonly string[] };
}

type NewHost = (name: string) => Promise<Host>;

/** The directories that are a host's own. The rest of the file system, /tmp included, is this machine's. */
const OWN_DIRECTORIES = ["/etc/", "/opt/", "/run/", "/var/"];

/** A machine, a router or a pod: its own interfaces, routes, name, /etc, /opt, /run and /var. */
export class Host extends Namespace {
  readonly #parent: Namespace;
  readonly #newHost: NewHost;
  readonly #bridges = new Set<string>();
  #cables = 0;
  #pods = 0;

  constructor(name: string, enter: readonly string[], parent: Namespace, newHost: NewHost) {
    super(name, enter);
    this.#parent = parent;
    this.#newHost = newHost;
  }

  /** The first interface is eth0, the second one eth1, and so on. */
  async connect(to: Switch, attachment: Attachment): Promise<Link> {
    const link = await to.cable(this.name, `eth${this.#cables++}`);
    await this.#configure(link.name, attachment);
    return link;
  }

  /** A network namespace behind a bridge of this host, as a CNI plugin makes it. */
  async pod(name: string, { address, bridge }: PodOptions): Promise<Host> {
    const pod = await this.#newHost(name);
    if (!this.#bridges.has(bridge.name)) {
      this.#bridges.add(bridge.name);
      await this.ip(`link add ${bridge.name} type bridge`);
      await this.#configure(bridge.name, { address: bridge.address });
    }
    const veth = `veth${this.#pods++}`;
    await this.#parent.ip(`link add ${veth} netns ${this.name} type veth peer name eth0 netns ${name}`);
    await this.ip(`link set ${veth} master ${bridge.name} up alias ${name}`);
    const gateway = list(bridge.address).map((prefix) => prefix.replace(/\/\d+$/, ""));
    await pod.#configure("eth0", { address, gateway });
    return pod;
  }

  /** Writes a file that only this host sees, its directory too. No program is started for it: tests write many. */
  async writeFile(path: string, content: string | Uint8Array, mode = "0644"): Promise<void> {
    const file = this.fromOutside(path);
    mkdirSync(posix.dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, Number.parseInt(mode, 8));
  }

  readFile(path: string): Promise<string> {
    return this.output(["cat", path]);
  }

  /**
   * Where this machine's processes find a file that is the host's own, through the process that keeps the host.
   * @throws Error for a symbolic link, which would lead them to a file of this machine's
   */
  fromOutside(path: string): string {
    this.#ownPath(path);
    const keeper = this.enter[this.enter.indexOf("-t") + 1];
    const root = `/proc/${keeper}/root`;
    for (let part = path; part !== "/"; part = posix.dirname(part)) {
      if (lstatSync(root + part, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
      throw new Error(
        `Cannot reach a file of ${this.name} from outside as ${part} is a link: current value is ${path}`,
      );
    }
    return root + path;
  }

  async #configure(link: string, { address, gateway = [] }: Attachment): Promise<void> {
    await this.ip(
      ...list(address).map((prefix) => `address add ${prefix} dev ${link}`),
      `link set ${link} up`,
      ...list(gateway).map((via) => `route add default via ${via}`),
    );
  }

  #ownPath(path: string): void {
    if (OWN_DIRECTORIES.some((directory) => posix.normalize(path).startsWith(directory))) return;
    throw new Error(
      `Cannot use a file of ${this.name} outside of ${OWN_DIRECTORIES.join(", ")}: current value is ${path}`,
    );
  }
}

function list(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}
