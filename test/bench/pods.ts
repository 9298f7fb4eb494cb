import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT } from "../support/edge-world.ts";
import { namespaceCommand, run } from "../support/in-namespace.ts";
import { option } from "./option.ts";
import { Report } from "./report/report.ts";
import { OURS, type Quantity } from "./report/series.ts";

/**
 * What a pod waits for: the plugin's ADD and DEL from exec to exit, ours in one program beside bridge, host-local, portmap
 * and bandwidth of containernetworking as a runtime runs them one after the other. In a network namespace of its own.
 *
 * test/bench/pods.ts [--rounds N]
 */
const STOCK = "/usr/lib/cni";
const STOCK_LIST = ["bridge", "portmap", "bandwidth"];
const ROUNDS = option("rounds", 25);

const ADD: Quantity = { name: "ADD, a plain pod", unit: "s", better: "less" };
const DEL: Quantity = { name: "DEL, a plain pod", unit: "s", better: "less" };
const ADD_WHOLE: Quantity = { name: "ADD with a host port and bandwidth", unit: "s", better: "less" };
const DEL_WHOLE: Quantity = { name: "DEL with a host port and bandwidth", unit: "s", better: "less" };

const WHOLE = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 },
};

type Command = "ADD" | "DEL";

class Node {
  readonly folder = mkdtempSync(join(tmpdir(), "selvedge-pods-"));
  readonly #plugin = join(this.folder, "selvedge-cni");

  constructor() {
    run("ln", "-s", AGENT, this.#plugin);
    run("ip", "netns", "add", "pod");
  }

  ours(command: Command, runtimeConfig: unknown): void {
    this.#run(this.#plugin, command, { type: "selvedge-cni", runtimeConfig });
  }

  stock(command: Command, runtimeConfig: unknown): void {
    let prevResult: unknown;
    for (const type of command === "ADD" ? STOCK_LIST : STOCK_LIST.toReversed()) {
      const text = this.#run(join(STOCK, type), command, { type, runtimeConfig, prevResult });
      if (command === "ADD") prevResult = JSON.parse(text);
    }
  }

  #run(program: string, command: Command, rest: Readonly<Record<string, unknown>>): string {
    const config = {
      cniVersion: "1.0.0",
      name: "bench",
      bridge: "br-bench",
      isDefaultGateway: true,
      forceAddress: true,
      hairpinMode: true,
      mtu: 1400,
      ipam: {
        type: "host-local",
        dataDir: this.folder,
        ranges: [[{ subnet: "10.1.7.0/24" }], [{ subnet: "fd00:7::/64" }]],
      },
      ...rest,
    };
    const env = {
      PATH: process.env["PATH"] ?? "",
      CNI_COMMAND: command,
      CNI_PATH: STOCK,
      CNI_CONTAINERID: "bench",
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/run/netns/pod",
    };
    const { stdout, exitCode } = Bun.spawnSync([program], { env, stdin: Buffer.from(JSON.stringify(config)) });
    if (exitCode !== 0) throw new Error(`${program} ${command}: ${stdout}`);
    return stdout.toString();
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

function measure(): void {
  const report = new Report("pods", "Connecting a pod of both families");
  report.version(
    "containernetworking-plugins",
    run("dpkg-query", "-W", "containernetworking-plugins").split("\t")[1]?.trim() ?? "",
  );
  using node = new Node();
  const programs = [
    [OURS, (command: Command, asked: unknown) => node.ours(command, asked)],
    ["stock plugins", (command: Command, asked: unknown) => node.stock(command, asked)],
  ] as const;
  for (const [add, del, asked] of [
    [ADD, DEL, undefined],
    [ADD_WHOLE, DEL_WHOLE, WHOLE],
  ] as const) {
    for (const [, plugin] of programs) for (const command of ["ADD", "DEL"] as const) plugin(command, asked);
    // In turn, so that whatever else the machine does meets both.
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, plugin] of programs) {
        for (const [quantity, command] of [
          [add, "ADD"],
          [del, "DEL"],
        ] as const) {
          const started = performance.now();
          plugin(command, asked);
          report.add(quantity, name, [(performance.now() - started) / 1000]);
        }
      }
    }
  }
  report.finish();
}

const { command, env } = namespaceCommand([process.execPath, ...process.argv.slice(1)]);
if (Object.keys(env).every((name) => process.env[name] === undefined)) {
  const inside = Bun.spawn(command, { env: { ...process.env, ...env }, stdout: "inherit", stderr: "inherit" });
  process.exit(await inside.exited);
}
measure();
