import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { observeHost } from "../../../../edge/cli/host-facts.ts";
import { loadConfig } from "../../../../edge/config.ts";
import type { Ip } from "../../../../src/base/ip.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "selvedge-host-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

async function observe(...argv: readonly string[]) {
  // A port of loopback where nobody listens, unless the test says another.
  const settings = ["--source-url=http://127.0.0.1:1", `--state-dir=${directory}`, ...argv];
  const loaded = loadConfig({ argv: settings, env: {}, file: undefined, host: { hostname: "edge-1" } });
  if (!loaded.ok) throw new Error("settings");
  return observeHost(loaded.value.config);
}

async function run(...command: readonly string[]): Promise<string> {
  const process = Bun.spawn([...command], { stdout: "pipe" });
  return (await new Response(process.stdout).text()).trim();
}

describe("host facts", () => {
  test("the kernel and its nftables are as uname and nft see them", async () => {
    const host = await observe();
    expect(host.kernel).toBe(await run("uname", "-r"));
    const nft = await run("sh", "-c", "nft list tables >/dev/null 2>&1 && echo yes || echo no");
    expect(host.nftables === undefined ? "yes" : "no").toBe(nft);
  });

  test("capabilities are those that the kernel shows", async () => {
    const shown = await run("sed", "-n", "s/^CapEff:\\s*//p", "/proc/self/status");
    expect((await observe()).capabilities.toString(16).padStart(16, "0")).toBe(shown);
  });

  test("whoever holds the DNS port is found, with pid and name", async () => {
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket.port, "::1", resolve));
    try {
      const { dnsPort } = await observe(`--dns-bind-port=${socket.port}`);
      const comm = await run("cat", `/proc/${process.pid}/comm`);
      const ours = { port: socket.port, pid: process.pid, program: comm };
      expect(dnsPort).toMatchObject([
        { ...ours, protocol: "UDP", address: "127.0.0.1" as Ip },
        { ...ours, protocol: "TCP", address: "::1" as Ip },
      ]);
    } finally {
      socket.close();
      server.close();
    }
  });

  test("the disk is the state directory's, or that of the nearest directory above", async () => {
    const there = await observe();
    expect(there.disk).toMatchObject({ path: directory, refusal: undefined });
    const available =
      Number(await run("stat", "-f", "-c", "%a", directory)) * Number(await run("stat", "-f", "-c", "%S", directory));
    expect(Math.abs(there.disk.freeBytes - available)).toBeLessThan(64 * 1024 * 1024);
    expect((await observe(`--state-dir=${directory}/a/b`)).disk.path).toBe(directory);
  });

  test("a read-only file system is seen, also by root", async () => {
    const root = join(import.meta.dir, "../../../..");
    const program = `
      const { observeHost } = await import("${root}/edge/cli/host-facts.ts");
      const { loadConfig } = await import("${root}/edge/config.ts");
      const argv = ["--source=api-server", "--kubeconfig=/none", "--state-dir=${directory}/state"];
      const loaded = loadConfig({ argv, env: {}, file: undefined, host: { hostname: "a" } });
      console.log(JSON.stringify((await observeHost(loaded.value.config)).disk));`;
    const script = `mount -t tmpfs -o ro none "$0" && exec "$1" -e "$2"`;
    const disk = await run("unshare", "-m", "sh", "-c", script, directory, process.execPath, program);
    expect(JSON.parse(disk)).toMatchObject({ path: directory, refusal: "EROFS" });
  });

  test("a source takes connections or does not", async () => {
    expect((await observe()).source).toMatchObject({ refusal: "ECONNREFUSED" });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    try {
      expect((await observe(`--source-url=http://[::1]:${port}`)).source).toMatchObject({ refusal: undefined });
    } finally {
      server.close();
    }
  });
});
