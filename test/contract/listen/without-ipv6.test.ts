import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

const WITHOUT_IPV6 = join(import.meta.dir, "../../support/without-ipv6.ts");
const MAIN = join(import.meta.dir, "../../../cloud/main.ts");
/** A cluster that nobody answers for. */
const KUBECONFIG = `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
`;
const CLUSTER = ["--cluster=paris", "--cluster-cidr=10.1.0.0/16", "--connector-public-addresses=198.51.100.1"];

inNamespace(import.meta.path, () => {
  let folder: string;
  let program: Bun.Subprocess<"ignore", "ignore", "pipe"> | undefined;
  let log = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "selvedge-listen-"));
    writeFileSync(join(folder, "kubeconfig"), KUBECONFIG);
    log = "";
  });
  afterEach(async () => {
    program?.kill("SIGKILL");
    await program?.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  function start(...words: readonly string[]): void {
    const command = [process.execPath, WITHOUT_IPV6, MAIN, ...words];
    program = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    void collect(program.stderr);
  }
  async function collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) log += decoder.decode(chunk, { stream: true });
  }
  /** What the log says that the pattern captures. */
  async function logged(pattern: RegExp): Promise<string> {
    const found = await waitFor(`${pattern} in the log`, () => {
      if (program?.exitCode != null) throw new Error(`It has ended: ${log}`);
      return pattern.exec(log);
    });
    return found[1] ?? "";
  }
  const PORT = /"url":"http:\/\/[^"]*:(\d+)\/"/;

  describe("on every address of a kernel without IPv6", () => {
    test("the operator answers its probes", async () => {
      start("operator", ...CLUSTER, "--cni-type=flannel", `--kubeconfig=${folder}/kubeconfig`, "--http-bind=:0");
      expect(run("curl", "-s", `http://127.0.0.1:${await logged(PORT)}/livez`)).toBe("ok\n");
    });

    test("a connector answers its probes", async () => {
      const words = [`--kubeconfig=${folder}/kubeconfig`, `--state-dir=${folder}/state`, "--http-bind=:0"];
      start("connector", "--node-name=c1", ...words);
      expect(run("curl", "-s", `http://127.0.0.1:${await logged(PORT)}/livez`)).toBe("ok\n");
    });

    test("the hub serves its folder, and lets nodes join", async () => {
      const planning = [...CLUSTER, `--state-dir=${folder}/state`, "--join-listen=:0"];
      mkdirSync(join(folder, "manifests"));
      start("hub", `--manifests=${folder}/manifests`, "--listen=:0", ...planning);
      expect(run("curl", "-s", `http://127.0.0.1:${await logged(PORT)}/healthz`)).toBe("ok");
      const port = await logged(/"Nodes can join",.*"port":(\d+)/);
      expect(run("curl", "-sk", `https://127.0.0.1:${port}/v1/authorities`)).toContain("BEGIN CERTIFICATE");
    });
  });
});
