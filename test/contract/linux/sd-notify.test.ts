import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SdNotify } from "../../../src/linux/sd-notify.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { run } from "../../support/in-namespace.ts";

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
  await waitFor("the listener", ready);
  return () => (existsSync(file) ? readFileSync(file, "utf8") : "");
}

const never = (error: unknown) => {
  throw error;
};
const bound = (name: string) => () => readFileSync("/proc/net/unix", "utf8").includes(name);

test("messages reach a socket with a path", async () => {
  const path = join(directory, "notify");
  const received = await listen(`UNIX-RECVFROM:${path},fork`, bound(path));
  const notify = new SdNotify(path, never);
  notify.ready();
  notify.status("two\nlines");
  await waitFor("the messages", () => received().includes("STATUS=two lines") && received().includes("READY=1"));
});

test("messages reach a socket in the abstract namespace", async () => {
  const name = `selvedge-notify-${process.pid}`;
  const received = await listen(`ABSTRACT-RECVFROM:${name},fork`, bound(`@${name}`));
  const notify = new SdNotify(`@${name}`, never);
  notify.alive();
  notify.stopping();
  const sent = ["WATCHDOG=1", "STOPPING=1"];
  await waitFor("the messages", () => sent.every((message) => received().includes(message)));
});

test("a socket that is gone is told of, and stops nothing", () => {
  const failures: unknown[] = [];
  const notify = new SdNotify("/nonexistent/notify", (error) => failures.push(error));
  notify.ready();
  notify.alive();
  expect(failures.map(String)).toEqual(
    Array(2).fill("SelvedgeError: Cannot notify systemd as the kernel refuses: ENOENT"),
  );
});

test("without a socket nothing is done", () => {
  for (const none of [undefined, "vsock:2:1", `/${"x".repeat(200)}`]) new SdNotify(none, never).ready();
});
