import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { StatusReport } from "../../src/network/agent-report.ts";
import { waitFor } from "../lab/wait-for.ts";
import { run } from "../support/in-namespace.ts";
import { benchAddress } from "./dns-services.ts";

const DIST = join(import.meta.dir, "../../dist");
const AGENT = join(DIST, "selvedge-linux-x64");
const CLOUD_PROGRAM = join(DIST, "selvedge-cloud-linux-x64");
const HUB = "127.0.0.1:8899";
const NODE = "edge1";

/** Every service has this port, and its first endpoint is this address of the node's own. */
export const SERVICE_PORT = 80;
export const LOCAL_ENDPOINT = { address: "10.200.0.1", port: 8080 };
export const DNS_ADDRESS = "169.254.25.10";

/** The compiled agent on a node without a cloud, started from a cache that it filled before. Needs a namespace of its own. */
export class BenchAgent implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  readonly #words = [
    "--node-name",
    NODE,
    "--state-dir",
    join(this.folder, "state"),
    "--run-dir",
    join(this.folder, "run"),
  ];

  /** Runs the agent beside a hub until its cache has all services, with two endpoints each. */
  async fillCache(services: number): Promise<void> {
    writeFileSync(join(this.folder, "services.json"), JSON.stringify(manifest(services)));
    const hub = Bun.spawn([CLOUD_PROGRAM, "hub", "--manifests", this.folder, "--listen", HUB], { stderr: "ignore" });
    const agent = this.start();
    try {
      await waitFor("the cache", () => {
        const { source } = this.status();
        return source.connected && source.kinds.find((kind) => kind.kind === "EndpointSlice")?.objects === services;
      });
    } finally {
      // In this order: an agent that stops writes what is left.
      for (const program of [agent, hub]) {
        program.kill();
        await program.exited;
      }
    }
  }

  start(...prefix: readonly string[]): Subprocess {
    const source = ["--source", "hub", "--source-url", `http://${HUB}`];
    return Bun.spawn([...prefix, AGENT, "run", ...this.#words, ...source], { stdout: "ignore", stderr: "ignore" });
  }

  status(): StatusReport {
    // It exits with 3 while anything is wrong, such as a source that is gone.
    return JSON.parse(Bun.spawnSync([AGENT, "status", "-o", "json", ...this.#words.slice(-2)]).stdout.toString());
  }

  /** As after a reboot: nothing of ours is in the kernel. */
  reboot(): void {
    run(AGENT, "cleanup", ...this.#words.slice(-2));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function manifest(services: number) {
  const items = Array.from({ length: services }, (_, i) => {
    const [name, namespace] = [`svc-${i}`, `ns-${i % 100}`];
    const address = benchAddress(i);
    const endpoints = [
      { addresses: [LOCAL_ENDPOINT.address], nodeName: NODE, conditions: { ready: true } },
      { addresses: [`10.201.${i >> 8}.${i & 255}`], nodeName: "edge2", conditions: { ready: true } },
    ];
    return [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace },
        // Always the first endpoint: the second is of another node, and this one is alone.
        spec: { clusterIP: address, internalTrafficPolicy: "Local", ports: [{ name: "http", port: SERVICE_PORT }] },
      },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: `${name}-1`, namespace, labels: { "kubernetes.io/service-name": name } },
        addressType: "IPv4",
        ports: [{ name: "http", protocol: "TCP", port: LOCAL_ENDPOINT.port }],
        endpoints,
      },
    ];
  }).flat();
  return { apiVersion: "v1", kind: "List", items };
}
