import { expect, test } from "bun:test";
import type { Backend } from "../../../../edge/service/frontend.ts";
import { seconds } from "../../../../src/base/duration.ts";
import { waitFor } from "../../../lab/wait-for.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";
import { backend, frontend, proxyForEachTest, SERVICE } from "../../../support/userspace-proxy.ts";

inNamespace(import.meta.path, () => {
  const proxy = proxyForEachTest();

  const DNS = { protocol: "UDP", port: 53 } as const;

  /** A backend that sends back what it gets, after its name. */
  async function echo(name: string, hostname = "127.0.0.1"): Promise<Backend> {
    const socket = await Bun.udpSocket({
      hostname,
      port: 0,
      socket: {
        data: (self, data, port, address) => {
          self.send(Buffer.concat([Buffer.from(name), data]), port, address);
        },
      },
    });
    proxy().onClose(() => socket.close());
    return backend(socket.port, hostname);
  }

  async function caller(hostname = SERVICE, port = 53) {
    let answered: (text: string) => void = () => {};
    const socket = await Bun.udpSocket({
      hostname: hostname.includes(":") ? "::" : "0.0.0.0",
      connect: { hostname, port },
      socket: { data: (_, data) => answered(data.toString()), error: () => answered("unreachable") },
    });
    proxy().onClose(() => socket.close());
    return {
      ask: (data: string) =>
        new Promise<string>((resolve) => {
          answered = resolve;
          socket.send(data);
        }),
      send: (data: string) => void socket.send(data),
      leave: () => socket.close(),
    };
  }

  test("a caller stays with its backend, and callers are spread", async () => {
    await proxy().apply(frontend([await echo("a"), await echo("b")], DNS));
    const names = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const one = await caller();
      const name = await one.ask("");
      for (let j = 0; j < 3; j++) expect(await one.ask("x")).toBe(`${name}x`);
      names.add(name);
    }
    expect(names).toEqual(new Set(["a", "b"]));
    expect(proxy().applier.usage.sessions).toBe(24);
  });

  test("a datagram of the largest size passes both ways", async () => {
    await proxy().apply(frontend([await echo("")], DNS));
    const most = "z".repeat(65_507);
    expect(await (await caller()).ask(most)).toBe(most);
  });

  test("when its backend is gone, a caller's next datagram goes to another one", async () => {
    const [a, b] = [await echo("a"), await echo("b")];
    await proxy().apply(frontend([a], DNS));
    const one = await caller();
    expect(await one.ask("1")).toBe("a1");
    await proxy().apply(frontend([b], DNS));
    expect(await one.ask("2")).toBe("b2");
  });

  test("while its backend serves, a caller stays with it, though new ones go elsewhere", async () => {
    const [a, b] = [await echo("a"), await echo("b")];
    await proxy().apply(frontend([a], { ...DNS, serving: [a] }));
    const one = await caller();
    expect(await one.ask("1")).toBe("a1");
    await proxy().apply(frontend([b], { ...DNS, serving: [a, b] }));
    expect(await one.ask("2")).toBe("a2");
    expect(await (await caller()).ask("3")).toBe("b3");
    await proxy().apply(frontend([b], { ...DNS, serving: [b] }));
    expect(await one.ask("4")).toBe("b4");
  });

  test("a caller that is gone when its answer comes takes nothing from the others", async () => {
    const late: (() => void)[] = [];
    const slow = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (self, data, port, address) => void late.push(() => self.send(data, port, address)) },
    });
    proxy().onClose(() => slow.close());
    const both = { ...DNS, serving: [backend(slow.port)] };
    await proxy().apply(frontend([backend(slow.port)], both));
    for (let i = 0; i < 3; i++) {
      const gone = await caller();
      gone.send("x");
      await waitFor("the datagram", () => late.length === i + 1);
      gone.leave();
    }
    // The kernel tells the listener of each that nobody has the port any more.
    for (const answer of late) answer();
    await proxy().apply(frontend([await echo("a")], both));
    for (let i = 0; i < 3; i++) expect(await (await caller()).ask("1")).toBe("a1");
  });

  test("when its backend refuses, a caller's next datagram goes to another one", async () => {
    await proxy().apply(frontend([backend(9)], DNS));
    const one = await caller();
    one.send("lost");
    await waitFor(
      "the refusal",
      () => proxy().applier.usage.connectFailures === 1 && proxy().applier.usage.sessions === 0,
    );
    await proxy().apply(frontend([await echo("a")], DNS));
    expect(await one.ask("1")).toBe("a1");
  });

  test("what a firewall keeps from a backend is lost, and nothing else", async () => {
    const closed = await echo("a");
    await proxy().apply(frontend([closed], DNS), frontend([await echo("b")], { ...DNS, port: 54 }));
    const one = await caller();
    expect(await one.ask("1")).toBe("a1");
    run("nft", "add table inet wall");
    run("nft", "add chain inet wall out { type filter hook output priority 0; }");
    run("nft", `add rule inet wall out udp dport ${closed.port} drop`);
    one.send("lost");
    expect(await (await caller(SERVICE, 54)).ask("2")).toBe("b2");
    run("nft", "delete table inet wall");
    expect(await one.ask("3")).toBe("a3");
  });

  test("without a backend the port is unreachable", async () => {
    await proxy().apply(frontend([await echo("a")], DNS), frontend([], { ...DNS, port: 54 }));
    await proxy().apply(frontend([], DNS));
    expect(await (await caller()).ask("1")).toBe("unreachable");
  });

  test("a session that is idle for two minutes is dropped", async () => {
    const clock = new SteppedClock();
    await proxy().restart(clock);
    await proxy().apply(frontend([await echo("a")], DNS));
    const one = await caller();
    await one.ask("1");
    await clock.advance(seconds(119));
    await one.ask("2");
    await clock.advance(seconds(119));
    expect(proxy().applier.usage.sessions).toBe(1);
    await clock.advance(seconds(11));
    expect(proxy().applier.usage.sessions).toBe(0);
    expect(await one.ask("3")).toBe("a3");
  });

  test("node ports of both families work side by side", async () => {
    const [four, six] = [await echo("four "), await echo("six ", "::1")];
    const nodePort = { ...DNS, kind: "node-port", address: undefined, port: 30_053 } as const;
    await proxy().apply(frontend([four], { ...nodePort, family: 4 }), frontend([six], { ...nodePort, family: 6 }));
    expect(proxy().codes()).toEqual([]);
    expect(await (await caller("127.0.0.1", 30_053)).ask("q")).toBe("four q");
    expect(await (await caller("::1", 30_053)).ask("q")).toBe("six q");
  });
});
