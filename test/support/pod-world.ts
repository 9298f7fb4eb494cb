import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runPlugin } from "../../edge/pod/plugin.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import { run } from "./in-namespace.ts";

/** Where Debian's containernetworking-plugins puts them. */
const STOCK = "/usr/lib/cni";
export const NETWORK = "fabedge";

export type Program = "ours" | "stock";

export interface CniAnswer {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly interface: number; readonly address: string; readonly gateway: string }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
}

export interface CniCommand {
  readonly command: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";
  /** Of the container, and of its network namespace. */
  readonly pod?: string;
  /** Where the namespace is gone: "". */
  readonly netns?: string;
  readonly cniVersion?: string;
  readonly subnets?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly ipam?: Readonly<Record<string, unknown>>;
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
  readonly prevResult?: unknown;
}

export interface CniOutcome {
  readonly code: number;
  readonly text: string;
}

/** A node's pods, each a network namespace, connected by our plugin or by the stock ones. Inside a namespace of the test. */
export class PodWorld implements Disposable {
  readonly dataDir = mkdtempSync(join(tmpdir(), "selvedge-pods-"));

  pod(name: string): void {
    run("ip", "netns", "add", name);
  }

  /** @returns the answer @throws Error with the plugin's words where it refuses */
  async do(program: Program, command: CniCommand): Promise<CniAnswer> {
    const { code, text } = await this.try(program, command);
    if (code !== 0) throw new Error(`${command.command} of ${command.pod}: ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as CniAnswer;
  }

  try(program: Program, command: CniCommand): Promise<CniOutcome> {
    const env = environment(command);
    if (program === "stock") return this.#stock(command, env);
    const input = JSON.stringify(this.config(command, "selvedge-cni"));
    return runPlugin({ env, readInput: () => input, clock: new SystemClock() }).then(({ exitCode, text }) => ({
      code: exitCode,
      text,
    }));
  }

  config(command: CniCommand, type: string): Readonly<Record<string, unknown>> {
    const { cniVersion = "1.0.0", subnets = ["10.1.7.0/24", "fd00:7::/64"], settings, runtimeConfig } = command;
    return {
      cniVersion,
      name: NETWORK,
      type,
      bridge: "br-fabedge",
      isDefaultGateway: true,
      forceAddress: true,
      hairpinMode: true,
      mtu: 1400,
      ...settings,
      ipam: {
        type: "host-local",
        dataDir: this.dataDir,
        ranges: subnets.map((subnet) => [{ subnet }]),
        ...command.ipam,
      },
      ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
      ...(command.prevResult === undefined ? {} : { prevResult: command.prevResult }),
    };
  }

  /** The files of the network, with what is in them; not those that hold nothing between two commands. */
  files(): Readonly<Record<string, string>> {
    const folder = join(this.dataDir, NETWORK);
    if (!existsSync(folder)) return {};
    const names = readdirSync(folder).filter((name) => name !== "lock");
    return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  }

  /** The addresses that somebody has. */
  reserved(): readonly string[] {
    return Object.keys(this.files()).filter((name) => /^[\da-f.:]+$/.test(name) && /[.:]/.test(name.slice(1)));
  }

  /** Pods and bridge, too. */
  [Symbol.dispose](): void {
    for (const link of JSON.parse(run("ip", "-json", "link", "show"))) {
      if (/^(veth|bwp|br-fabedge)/.test(link.ifname)) Bun.spawnSync(["ip", "link", "delete", link.ifname]);
    }
    run("ip", "-all", "netns", "delete");
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** bridge, portmap and bandwidth one after the other, as a runtime runs a list; backwards for DEL. */
  async #stock(command: CniCommand, env: Readonly<Record<string, string>>): Promise<CniOutcome> {
    mkdirSync(this.dataDir, { recursive: true });
    const types = ["bridge", "portmap", "bandwidth"];
    if (command.command === "DEL") types.reverse();
    let outcome: CniOutcome = { code: 0, text: "" };
    let { prevResult } = command;
    for (const type of types) {
      const input = JSON.stringify(this.config({ ...command, prevResult }, type));
      const plugin = Bun.spawn([join(STOCK, type)], {
        env: { ...env, PATH: process.env["PATH"] ?? "" },
        stdin: new TextEncoder().encode(input),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [text, code] = await Promise.all([plugin.stdout.text(), plugin.exited]);
      outcome = { code, text };
      if (code !== 0) return outcome;
      if (command.command === "ADD") prevResult = JSON.parse(text);
    }
    return outcome;
  }
}

function environment({ command, pod = "", netns }: CniCommand): Readonly<Record<string, string>> {
  return {
    CNI_COMMAND: command,
    CNI_PATH: STOCK,
    CNI_CONTAINERID: pod,
    CNI_IFNAME: "eth0",
    CNI_NETNS: netns ?? `/run/netns/${pod}`,
  };
}
