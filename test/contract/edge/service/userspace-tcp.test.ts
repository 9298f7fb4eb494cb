import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import { parsePrefix } from "../../../../src/base/ip.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { ip } from "../../../support/network-objects.ts";
import { untilOwn } from "../../../support/own-address.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";
import {
  backend,
  curl,
  frontend,
  proxyForEachTest,
  REFUSED,
  RESET,
  SERVICE,
} from "../../../support/userspace-proxy.ts";

inNamespace(import.meta.path, () => {
  const proxy = proxyForEachTest();

  test("connections to a service address are spread over its backends", async () => {
    await proxy().apply(frontend([proxy().web("a"), proxy().web("b")]));
    const bodies = await Promise.all(Array.from({ length: 40 }, () => curl(`http://${SERVICE}/`)));
    expect(new Set(bodies.map((b) => b.body))).toEqual(new Set(["a", "b"]));
    expect(bodies.every((b) => b.exit === 0)).toBe(true);
    await waitFor("all connections gone", () => proxy().applier.usage.connections === 0);
  });

  test("IPv6 service addresses and node ports of both families work side by side", async () => {
    const v6 = [proxy().web("six", "::1")];
    const v4 = [proxy().web("four")];
    const nodePort = { kind: "node-port", address: undefined, port: 30_080 } as const;
    await proxy().apply(
      frontend(v6, { address: ip("fd00:96::1") }),
      frontend(v4, { ...nodePort, family: 4 }),
      frontend(v6, { ...nodePort, family: 6 }),
    );
    expect(proxy().codes()).toEqual([]);
    await untilOwn("fd00:96::1");
    expect((await curl("http://[fd00:96::1]/")).body).toBe("six");
    expect((await curl("http://127.0.0.1:30080/")).body).toBe("four");
    expect((await curl("http://[::1]:30080/")).body).toBe("six");
  });

  test("without a backend callers are refused at once, and served again when there is one", async () => {
    await proxy().apply(frontend([]));
    const refused = await curl(`http://${SERVICE}/`);
    expect([refused.exit, refused.ms < 1000]).toEqual([REFUSED, true]);
    const a = proxy().web("a");
    await proxy().apply(frontend([a]));
    expect((await curl(`http://${SERVICE}/`)).body).toBe("a");
    await proxy().apply(frontend([]));
    expect((await curl(`http://${SERVICE}/`)).exit).toBe(REFUSED);
  });

  test("a backend that refuses is passed over, without the caller noticing", async () => {
    await proxy().apply(frontend([proxy().web("alive"), backend(1), backend(2)]));
    const bodies = await Promise.all(Array.from({ length: 20 }, () => curl(`http://${SERVICE}/`)));
    expect(new Set(bodies.map((b) => b.body))).toEqual(new Set(["alive"]));
    expect(proxy().applier.usage.connectFailures).toBeGreaterThan(0);
    await proxy().apply(frontend([backend(1), backend(2)]));
    expect((await curl(`http://${SERVICE}/`)).exit).toBeOneOf(RESET);
  });

  test("a backend that does not answer is passed over after four seconds", async () => {
    const clock = new SteppedClock();
    await proxy().restart(clock);
    run("nft", "add table ip lost; add chain ip lost in { type filter hook input priority 0; }");
    run("nft", "add rule ip lost in tcp dport 9 drop");
    proxy().onClose(() => void run("nft", "delete table ip lost"));
    await proxy().apply(frontend([backend(9)]));
    const lost = curl(`http://${SERVICE}/`);
    await waitFor("the attempt", () => proxy().applier.usage.attempts === 1);
    await clock.advance(milliseconds(3999));
    expect(proxy().applier.usage.connectFailures).toBe(0);
    await clock.advance(milliseconds(1));
    expect(proxy().applier.usage.connectFailures).toBe(1);
    expect((await lost).exit).toBeOneOf(RESET);
  });

  test("each direction ends by itself: an answer after the caller's end arrives whole", async () => {
    const answer = "x".repeat(3_000_000);
    const server = Bun.listen<{ got: string; left: string }>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          socket.data = { got: "", left: "" };
        },
        data: (socket, data) => {
          socket.data.got += data;
        },
        end: (socket) => send(socket, `${socket.data.got.length} ${answer}`),
        drain: (socket) => send(socket, socket.data.left),
      },
    });
    const send = (socket: Bun.Socket<{ got: string; left: string }>, text: string) => {
      const written = socket.write(text);
      socket.data.left = text.slice(written);
      if (socket.data.left === "") socket.shutdown();
    };
    proxy().onClose(() => server.stop(true));
    await proxy().apply(frontend([backend(server.port)]));
    const client = Bun.spawn(["socat", "-t", "10", "-", `TCP:${SERVICE}:80`], {
      stdin: Buffer.from("y".repeat(100_000)),
      stdout: "pipe",
    });
    expect(await client.stdout.text()).toBe(`100000 ${answer}`);
    await waitFor("the connection gone", () => proxy().applier.usage.connections === 0);
  });

  test("a slow reader slows the writer down instead of filling memory, and loses nothing", async () => {
    const total = 64 * 1024 * 1024;
    const received = createHash("sha256");
    let size = 0;
    let slow: Bun.Socket | undefined;
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          slow = socket;
          socket.pause();
        },
        data: (_, data) => {
          size += data.length;
          received.update(data);
        },
      },
    });
    proxy().onClose(() => server.stop(true));
    await proxy().apply(frontend([backend(server.port)]));

    const block = Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
    const sent = createHash("sha256");
    let written = 0;
    let offset = 0;
    const pump = (socket: Bun.Socket) => {
      while (written < total) {
        const n = socket.write(block.subarray(offset));
        if (n <= 0) return;
        sent.update(block.subarray(offset, offset + n));
        written += n;
        offset = (offset + n) % block.length;
      }
      socket.end();
    };
    await Bun.connect({ hostname: SERVICE, port: 80, socket: { open: pump, drain: pump, data() {} } });
    // The buffers of four sockets fill up, and then nothing moves.
    let before = -1;
    await waitFor("the writer to stand still", async () => {
      const still = before === written;
      before = written;
      await Bun.sleep(100);
      return still && written > 0;
    });
    expect(written).toBeLessThan(total / 2);
    slow?.resume();
    await waitFor("everything to arrive", () => size === total, { timeout: seconds(20) });
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  test("a reset of one end is a reset for the other", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => socket.terminate() },
    });
    proxy().onClose(() => server.stop(true));
    await proxy().apply(frontend([backend(server.port)]));
    expect((await curl(`http://${SERVICE}/`)).exit).toBeOneOf(RESET);
    await waitFor("the connection gone", () => proxy().applier.usage.connections === 0);
  });

  test("callers that are gone before they are accepted leave nothing behind", async () => {
    await proxy().apply(frontend([proxy().web("a")]));
    // We stand still meanwhile, so the kernel has them all before we accept the first.
    run(
      "python3",
      "-c",
      `
import socket, struct
for i in range(20):
    with socket.create_connection(("${SERVICE}", 80)) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
`,
    );
    expect((await curl(`http://${SERVICE}/`)).body).toBe("a");
    await waitFor("all connections gone", () => proxy().applier.usage.connections === 0);
  });

  test("a client's affinity holds while its backend lives, also across the service's addresses", async () => {
    const all = Array.from({ length: 8 }, (_, i) => proxy().web(`b${i}`));
    const sticky = { affinitySeconds: 100 } as const;
    const nodePort = { kind: "node-port", address: undefined, port: 30_080 } as const;
    await proxy().apply(frontend(all, sticky), frontend(all, { ...sticky, ...nodePort }));
    const call = async (url: string) => (await curl(url, "--interface", "127.0.0.1")).body;
    const first = await call(`http://${SERVICE}/`);
    for (let i = 0; i < 5; i++) expect(await call(`http://${SERVICE}/`)).toBe(first);
    expect(await call("http://127.0.0.1:30080/")).toBe(first);
    const left = all.filter((_, i) => `b${i}` !== first);
    await proxy().apply(frontend(left, sticky));
    const second = await call(`http://${SERVICE}/`);
    expect(second).not.toBe(first);
    await proxy().apply(frontend(all, sticky));
    expect(await call(`http://${SERVICE}/`)).toBe(second);
  });

  test("callers outside the source ranges, and outsiders without a local backend, are reset", async () => {
    const range = parsePrefix("192.0.2.0/24");
    if (!range.ok) throw new Error(range.error.why);
    await proxy().apply(frontend([proxy().web("a")], { kind: "external", sourceRanges: [range.value] }));
    expect((await curl(`http://${SERVICE}/`)).exit).toBeOneOf(RESET);
    const far = proxy().web("far");
    await proxy().apply(frontend([far], { kind: "external", externalBackends: [] }));
    expect((await curl(`http://${SERVICE}/`)).body).toBe("far");
    proxy().internal = false;
    expect((await curl(`http://${SERVICE}/`)).exit).toBeOneOf(RESET);
    await proxy().apply(frontend([far], { kind: "external", externalBackends: [proxy().web("near")] }));
    expect((await curl(`http://${SERVICE}/`)).body).toBe("near");
  });
});
