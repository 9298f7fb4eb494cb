import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlServer } from "../../../../edge/status/control-server.ts";
import { minutes } from "../../../../src/base/duration.ts";
import { Health } from "../../../../src/base/health.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { Scope } from "../../../../src/base/scope.ts";
import { agentHandlers } from "../../../support/agent-handlers.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

const LOOPBACK = "127.0.0.1" as Ip;

let directory: string;
let scope: Scope;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "selvedge-control-"));
  scope = new Scope();
});

afterEach(async () => {
  await scope.close();
  rmSync(directory, { recursive: true });
});

async function start(port = 0, runDir = join(directory, "run")) {
  const clock = new SteppedClock();
  const health = new Health(clock.wall.bind(clock), () => {});
  const httpBind = { address: LOOPBACK, port };
  const options = { runDir, httpBind, handlers: agentHandlers(), health, clock, random: () => 0.5 };
  const server = await ControlServer.start(options, scope);
  return { server, health, clock, codes: () => health.list().map((condition) => condition.code) };
}

async function curl(...args: readonly string[]) {
  const run = Bun.spawn(["curl", "-sS", "-m", "5", "-w", "\n%{http_code}", ...args], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out] = await Promise.all([new Response(run.stdout).text(), run.exited]);
  const end = out.lastIndexOf("\n");
  return { body: out.slice(0, end), status: Number(out.slice(end + 1)) };
}

describe("control server", () => {
  test("curl sees the probes on loopback and the documents on the socket", async () => {
    const { server, codes } = await start();
    expect(await curl(`http://127.0.0.1:${server.httpPort}/livez`)).toEqual({ body: "ok", status: 200 });
    expect((await curl(`http://127.0.0.1:${server.httpPort}/readyz?verbose`)).body).toContain("[+]dns ok");
    expect((await curl(`http://127.0.0.1:${server.httpPort}/v1/status`)).status).toBe(404);
    const status = await curl("--unix-socket", server.socketPath, "http://selvedge/v1/status");
    expect(JSON.parse(status.body)).toMatchObject({ kind: "Status", agent: { node: "edge-1" } });
    expect(codes()).toEqual([]);
  });

  test("a request with a large body is refused", async () => {
    const { server } = await start();
    const large = join(directory, "large");
    writeFileSync(large, "x".repeat(100_000));
    const answer = await curl(`http://127.0.0.1:${server.httpPort}/livez`, "--data-binary", `@${large}`);
    expect(answer.status).toBe(413);
  });

  test("a Host header that is none is the asker's fault", async () => {
    const { server } = await start();
    const ask = (host: string) => curl(`http://127.0.0.1:${server.httpPort}/livez`, "-H", `Host: ${host}`);
    for (const host of ["[bad", "x:99999999"]) expect((await ask(host)).status).toBe(400);
    expect(await ask("a b")).toEqual({ body: "ok", status: 200 });
  });

  test("the socket is for root alone", async () => {
    const { server } = await start();
    expect(statSync(server.socketPath).mode & 0o777).toBe(0o600);
  });

  test("a socket left over from a killed agent is replaced; one that answers is not", async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({ code: "AGENT_RUNNING" });
    expect((await curl("--unix-socket", first.server.socketPath, "http://selvedge/livez")).status).toBe(200);
    await scope.close();
    scope = new Scope();
    const { server, codes } = await start();
    await abandonSocket(server.socketPath);
    scope = new Scope();
    expect((await start()).codes()).toEqual([]);
    expect(codes()).toEqual([]);
  });

  test("closing takes the socket away", async () => {
    const { server } = await start();
    await scope.close();
    expect(existsSync(server.socketPath)).toBe(false);
  });

  test("a port in use is a condition, the socket works on, and the port is taken once it is free", async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) => {
      other.listen(0, "127.0.0.1", () => {
        const address = other.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
    const { server, clock, codes } = await start(port);
    expect(codes()).toEqual(["HTTP_CLOSED"]);
    expect((await curl("--unix-socket", server.socketPath, "http://selvedge/readyz")).status).toBe(200);
    await new Promise((resolve) => other.close(resolve));
    await clock.advance(minutes(1));
    expect(codes()).toEqual([]);
    expect((await curl(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  });

  test("a run directory that cannot be made is a condition, and HTTP works on", async () => {
    writeFileSync(join(directory, "file"), "");
    const { server, codes } = await start(0, join(directory, "file", "run"));
    expect(codes()).toEqual(["CONTROL_SOCKET_CLOSED"]);
    expect((await curl(`http://127.0.0.1:${server.httpPort}/livez`)).status).toBe(200);
  });

  test("a socket that somebody removed is made again", async () => {
    const { server, clock } = await start();
    rmSync(server.socketPath);
    await clock.advance(minutes(1));
    expect((await curl("--unix-socket", server.socketPath, "http://selvedge/livez")).status).toBe(200);
  });
});

/** Leaves the file as a killed process does: bound by nobody. */
async function abandonSocket(path: string): Promise<void> {
  await scope.close();
  const program = `const net = require("node:net"); net.createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"));`;
  await Bun.spawn([process.execPath, "-e", program]).exited;
  expect(existsSync(path)).toBe(true);
}
