import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
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

  /** @param before a program that becomes the agent @returns once it is ready */
  async function start(
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
    before: readonly string[] = [],
  ) {
    const own = [`--state-dir=${directory}/state`, `--run-dir=${directory}/run`, "--http-bind=127.0.0.1:0"];
    const where = ["--node-name=edge-1", "--source=hub", "--source-url=http://127.0.0.1:1"];
    const command = [...before, process.execPath, MAIN, "run", ...own, ...where, ...argv];
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

  test("without DNS, the sockets that a run with DNS left with systemd are given up", async () => {
    const path = `${directory}/notify`;
    mkdirSync(directory, { recursive: true });
    const hear = `import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("${path}"); print("bound", flush=True)\nwhile True: print(s.recv(4096).decode(), flush=True)`;
    await using systemd = Bun.spawn(["python3", "-c", hear], { stdout: "pipe" });
    let heard = "";
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of systemd.stdout) heard += decoder.decode(chunk, { stream: true });
    })();
    await waitFor("somebody who listens", () => heard.startsWith("bound"));
    const hand = `import os, socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53)); os.dup2(s.fileno(), 3); os.set_inheritable(3, True); os.environ["LISTEN_PID"] = str(os.getpid()); os.execvp(sys.argv[1], sys.argv[1:])`;
    const env = { NOTIFY_SOCKET: path, LISTEN_FDS: "1", LISTEN_FDNAMES: "dns-udp-7f000001-53" };
    await start(["--enable-dns=false"], env, ["python3", "-c", hand]);
    expect(run("ss", "-ulnH", "sport = :53")).toBe("");
    await waitFor("what systemd is told", () => heard.includes("FDSTOREREMOVE=1\nFDNAME=dns-udp-7f000001-53"));
  });

  test("a systemd that does not listen keeps it from nothing", async () => {
    const { log } = await start([], { NOTIFY_SOCKET: "/nonexistent/notify" });
    await waitFor("the watchdog's beats", () => log().includes("ENOENT"));
    expect(run("ip", "-brief", "address", "show", "fabedge-dummy0")).toContain("169.254.25.10");
    expect(agent?.exitCode).toBe(null);
  });
});
