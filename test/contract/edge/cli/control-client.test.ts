import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ANSWER_BYTES_MAX, askAgent } from "../../../../edge/cli/control-client.ts";
import { ControlServer } from "../../../../edge/status/control-server.ts";
import { SelvedgeError } from "../../../../src/base/errors.ts";
import { Health } from "../../../../src/base/health.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { agentHandlers } from "../../../support/agent-handlers.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

let directory: string;
let scope: Scope;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "selvedge-client-"));
  chmodSync(directory, 0o755);
  scope = new Scope();
});

afterEach(async () => {
  await scope.close();
  rmSync(directory, { recursive: true });
});

async function startAgent(handlers: Parameters<typeof agentHandlers>[0] = {}): Promise<ControlServer> {
  const clock = new SteppedClock();
  const options = {
    runDir: directory,
    httpBind: { address: "127.0.0.1" as Ip, port: 0 },
    handlers: agentHandlers(handlers),
    health: new Health(
      () => 0,
      () => {},
    ),
    clock,
    random: () => 0.5,
  };
  return await ControlServer.start(options, scope);
}

/** The command line as another user, with processIo's real sockets; bundled, as the sources may be root's alone. */
async function runAsNobody(...argv: readonly string[]) {
  const root = join(import.meta.dir, "../../../..");
  const [source, program] = [join(directory, "cli.ts"), join(directory, "cli.js")];
  writeFileSync(
    source,
    `import { runCli } from "${root}/edge/cli/run-cli.ts";
    import { processIo } from "${root}/edge/cli/process-io.ts";
    process.exitCode = await runCli(${JSON.stringify(argv)}, {}, processIo(), {} as never);`,
  );
  const { outputs } = await Bun.build({ entrypoints: [source], target: "bun" });
  for (const output of outputs) await Bun.write(program, output);
  const { PATH = "" } = process.env;
  const command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, program];
  const run = Bun.spawn(command, {
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH, HOME: "/" },
  });
  const [out, err, exit] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ]);
  return { out, err, exit };
}

describe("control client", () => {
  test("gets the agent's documents over the socket", async () => {
    const { socketPath } = await startAgent();
    expect((await askAgent(socketPath, "/v1/status", "Status")).agent.node).toBe("edge-1");
    expect((await askAgent(socketPath, "/v1/services?name=web", "ServiceList")).items).toHaveLength(1);
  });

  test("an error of the agent arrives with its code and hint", async () => {
    const resolve = async () => {
      throw new SelvedgeError("Cannot resolve names", { code: "EXAMPLE", blame: "user", retry: "never", hint: "Do." });
    };
    const { socketPath } = await startAgent({ resolve });
    const asked = askAgent(socketPath, "/v1/resolve?name=a", "Resolution");
    await expect(asked).rejects.toMatchObject({ message: "Cannot resolve names", code: "EXAMPLE", hint: "Do." });
  });

  test("no socket, a dead one, and a file in its place are all an agent that is not there", async () => {
    const asked = (path: string) => askAgent(path, "/v1/status", "Status");
    await expect(asked(join(directory, "none.sock"))).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
    const file = join(directory, "file.sock");
    writeFileSync(file, "");
    await expect(asked(file)).rejects.toMatchObject({ code: "AGENT_UNREACHABLE" });
  });

  test.each([
    ["no document of ours", "{}", 2],
    ["longer than any", " ".repeat(ANSWER_BYTES_MAX + 1), ANSWER_BYTES_MAX + 1],
  ])("an answer that is %s is said to be", async (_, body, length) => {
    const path = join(directory, "strange.sock");
    const server = createServer((socket) => {
      // The client hangs up in the midst of the longer one.
      socket.on("error", () => {});
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await expect(askAgent(path, "/v1/status", "Status")).rejects.toMatchObject({ code: "AGENT_STRANGE" });
    } finally {
      server.close();
    }
  });

  test("another user gets exit status 5 from a running agent, and 4 where there is none", async () => {
    const { socketPath } = await startAgent();
    const refused = await runAsNobody("status", `--run-dir=${directory}`);
    expect(refused.err).toBe(
      `Cannot ask the agent as this user: ${socketPath} is for root\nRun the command as root ("sudo selvedge ...").\n`,
    );
    expect(refused).toMatchObject({ exit: 5, out: "" });
    const absent = await runAsNobody("status", `--run-dir=${directory}/nowhere`);
    expect(absent.err).toContain("Cannot reach the agent");
    expect(absent.exit).toBe(4);
  });
});
