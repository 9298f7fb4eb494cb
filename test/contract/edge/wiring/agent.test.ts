import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../../../lab/wait-for.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";

const MAIN = join(import.meta.dir, "../../../../edge/main.ts");

inNamespace(import.meta.path, () => {
  const directory = mkdtempSync(join(tmpdir(), "selvedge-agent-"));
  let agent: Bun.Subprocess | undefined;
  afterEach(async () => {
    agent?.kill();
    await agent?.exited;
    rmSync(directory, { recursive: true, force: true });
  });

  /** @returns once it is ready */
  async function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const own = [`--state-dir=${directory}/state`, `--run-dir=${directory}/run`, "--http-bind=127.0.0.1:0"];
    const where = ["--node-name=edge-1", "--source=hub", "--source-url=http://127.0.0.1:1"];
    const command = [process.execPath, MAIN, "run", ...own, ...where, ...argv];
    const started = Bun.spawn(command, { env: { ...process.env, ...env }, stderr: "pipe" });
    agent = started;
    let log = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of started.stderr) log += decoder.decode(chunk, { stream: true });
    })();
    await waitFor("the agent ready", () => log.includes('"agent.ready"') || started.exitCode !== null);
    return { log: () => log, reading };
  }

  test("without DNS, its addresses are left to whoever answers on them", async () => {
    await start(["--enable-dns=false"]);
    expect(run("ip", "-brief", "address", "show", "fabedge-dummy0")).not.toContain("169.254.25.10");
  });

  test("a systemd that does not listen keeps it from nothing", async () => {
    const { log } = await start([], { NOTIFY_SOCKET: "/nonexistent/notify" });
    await waitFor("the watchdog's beats", () => log().includes("ENOENT"));
    expect(run("ip", "-brief", "address", "show", "fabedge-dummy0")).toContain("169.254.25.10");
    expect(agent?.exitCode).toBe(null);
  });
});
