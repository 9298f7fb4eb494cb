import { formatCharonConfig } from "../../src/strongswan/charon-config.ts";
import type { Host } from "./host.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

const PROGRAM = "/usr/sbin/charon-systemd";
const FOLDER = "/run/selvedge/charon";
const SOCKET = `${FOLDER}/charon.vici`;
const CONFIG = `${FOLDER}/strongswan.conf`;

export interface CharonOptions {
  /** An edge node's, unless told. */
  readonly role?: "edge" | "connector";
}

/**
 * A real charon on a host of the lab, with ESP in user space (the TUN device ipsec0), configured as our unit does it and
 * with nothing loaded. Its socket is at the place where an agent of that host looks for it.
 */
export class Charon {
  /** The VICI socket as this process sees it: the host's /run through a process that keeps it. */
  readonly socket: string;
  readonly #host: Host;
  #process: LabProcess | undefined;

  static async start(host: Host, options: CharonOptions = {}): Promise<Charon> {
    const charon = new Charon(host);
    await charon.configure(formatCharonConfig(configOf(options)));
    await charon.start();
    return charon;
  }

  private constructor(host: Host) {
    this.#host = host;
    this.socket = host.fromOutside(SOCKET);
  }

  /** Replaces strongswan.conf; it counts from the next start. */
  async configure(text: string): Promise<void> {
    await this.#host.writeFile(CONFIG, `${text}charon-systemd { filelog { stderr { default = 1 } } }\n`);
  }

  /** @returns when it answers on its socket */
  async start(): Promise<void> {
    const env = { STRONGSWAN_CONF: CONFIG };
    this.#process = await this.#host.spawn([PROGRAM], { env });
    await waitFor("an answer of charon's", () => this.swanctl("--stats").then(() => true));
  }

  get pid(): number {
    return this.#running.pid;
  }

  get log(): string {
    return this.#running.log;
  }

  /** As people do it: `swanctl --list-sas`. @returns what it prints */
  swanctl(command: `--${string}`, ...more: readonly string[]): Promise<string> {
    return this.#host.output(["swanctl", command, "--uri", `unix://${SOCKET}`, ...more]);
  }

  /** A crash: what was loaded is gone, and so is the socket's other end; its file stays. */
  async kill(): Promise<void> {
    await this.#running.kill();
  }

  async stop(): Promise<void> {
    await this.#running.stop();
  }

  /** It hangs until what is returned is disposed of: the kernel still accepts connections for it. */
  hang(): Disposable {
    return this.#running.pause();
  }

  get #running(): LabProcess {
    if (this.#process === undefined) throw new Error("Cannot speak of charon's process as it was never started");
    return this.#process;
  }
}

function configOf({ role = "edge" }: CharonOptions) {
  return { role, kernelEsp: false, viciSocket: SOCKET, ignoredLinks: [] };
}
