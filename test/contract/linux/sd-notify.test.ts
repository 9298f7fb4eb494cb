import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../../../src/base/duration.ts";
import { SdNotify } from "../../../src/linux/sd-notify.ts";
import { run, until } from "../../support/in-namespace.ts";

const directory = mkdtempSync(join(tmpdir(), "selvedge-notify-"));
let listener: Bun.Subprocess | undefined;
afterEach(() => {
  listener?.kill();
  rmSync(directory, { recursive: true, force: true });
});

/** socat appends every datagram that arrives to a file. */
async function listen(address: string, ready: () => boolean): Promise<() => string> {
  run("mkdir", "-p", directory);
  const file = join(directory, "received");
  listener = Bun.spawn(["socat", "-u", address, `OPEN:${file},creat,append`]);
  await until("the listener", ready);
  return () => (existsSync(file) ? readFileSync(file, "utf8") : "");
}

const bound = (name: string) => () => readFileSync("/proc/net/unix", "utf8").includes(name);

test("messages reach a socket with a path", async () => {
  const path = join(directory, "notify");
  const received = await listen(`UNIX-RECVFROM:${path},fork`, bound(path));
  const notify = new SdNotify({ NOTIFY_SOCKET: path }, 1);
  notify.ready();
  notify.status("two\nlines");
  await until("the messages", () => received().includes("STATUS=two lines") && received().includes("READY=1"));
});

test("messages reach a socket in the abstract namespace", async () => {
  const name = `selvedge-notify-${process.pid}`;
  const received = await listen(`ABSTRACT-RECVFROM:${name},fork`, bound(`@${name}`));
  const notify = new SdNotify({ NOTIFY_SOCKET: `@${name}` }, 1);
  notify.reloading();
  notify.alive();
  notify.stopping();
  const sent = ["RELOADING=1", "WATCHDOG=1", "STOPPING=1"];
  await until("the messages", () => sent.every((message) => received().includes(message)));
});

test("a socket that is gone is an error with its name", () => {
  const notify = new SdNotify({ NOTIFY_SOCKET: "/nonexistent/notify" }, 1);
  expect(() => notify.ready()).toThrow("Cannot notify systemd as the kernel refuses: ENOENT");
});

test("without a socket nothing is done", () => {
  new SdNotify({}, 1).ready();
  new SdNotify({ NOTIFY_SOCKET: "vsock:2:1" }, 1).ready();
  new SdNotify({ NOTIFY_SOCKET: `/${"x".repeat(200)}` }, 1).ready();
});

test("the watchdog's time-out is ours only when it names this process", () => {
  expect(new SdNotify({ WATCHDOG_USEC: "30000000" }, 5).watchdogTimeout).toBe(seconds(30));
  expect(new SdNotify({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "5" }, 5).watchdogTimeout).toBe(seconds(30));
  expect(new SdNotify({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "6" }, 5).watchdogTimeout).toBeUndefined();
  expect(new SdNotify({}, 5).watchdogTimeout).toBeUndefined();
  expect(new SdNotify({ WATCHDOG_USEC: "soon" }, 5).watchdogTimeout).toBeUndefined();
});
