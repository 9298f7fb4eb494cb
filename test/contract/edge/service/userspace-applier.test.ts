import { expect, test } from "bun:test";
import { waitFor } from "../../../lab/wait-for.ts";
import { inNamespace, run } from "../../../support/in-namespace.ts";
import { ip } from "../../../support/network-objects.ts";
import { backend, curl, frontend, proxyForEachTest, REFUSED, SERVICE } from "../../../support/userspace-proxy.ts";

inNamespace(import.meta.path, () => {
  const proxy = proxyForEachTest();

  const sockets = () => run("ss", "-Hltnep", "src", SERVICE);

  test("the addresses come and go with the services, and an unchanged listener is not touched", async () => {
    const a = proxy().web("a");
    await proxy().apply(frontend([a]), frontend([a], { port: 81 }));
    expect(run("ip", "-brief", "address", "show", "svc0")).toContain(`${SERVICE}/32`);
    const before = sockets();
    await proxy().apply(frontend([a, proxy().web("b")]), frontend([a], { port: 81 }));
    await proxy().applier.resync();
    expect(sockets()).toBe(before);
    expect(proxy().codes()).toEqual([]);
    await proxy().applier.apply(new Map([["default/other", [frontend([a], { address: ip("10.96.0.2") })]]]));
    await proxy().applier.apply(new Map([["default/web", []]]));
    expect(run("ip", "-brief", "address", "show", "svc0")).toContain("10.96.0.2/32");
    expect(run("ip", "-brief", "address", "show", "svc0")).not.toContain(`${SERVICE}/32`);
  });

  test("an open connection outlives its service's removal", async () => {
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket, data) => void socket.write(data) },
    });
    proxy().onClose(() => server.stop(true));
    await proxy().apply(frontend([backend(server.port)], { kind: "node-port", address: undefined, port: 30_080 }));
    let echoed = "";
    const client = await Bun.connect({
      hostname: "127.0.0.1",
      port: 30_080,
      socket: {
        data: (_, data) => {
          echoed += data;
        },
      },
    });
    client.write("one ");
    await waitFor("the first echo", () => echoed === "one ");
    await proxy().apply();
    client.write("two");
    await waitFor("the second echo", () => echoed === "one two");
    expect((await curl("http://127.0.0.1:30080/")).exit).toBe(REFUSED);
    client.end();
  });

  test("a port in use is a condition, everything else goes on, and the port is taken when it is free", async () => {
    const nodePort = { kind: "node-port", address: undefined, port: 30_080 } as const;
    const squatter = Bun.listen({ hostname: "0.0.0.0", port: 30_080, socket: { data() {} } });
    const a = proxy().web("a");
    await proxy().apply(frontend([a], nodePort), frontend([a]));
    expect((await curl(`http://${SERVICE}/`)).body).toBe("a");
    expect(proxy().health.list()[0]).toMatchObject({
      code: "SERVICE_PORT_IN_USE",
      severity: "degraded",
      message: "Cannot listen on 1 service ports as other programs have them: 0.0.0.0:30080/TCP (default/web)",
    });
    squatter.stop(true);
    await proxy().applier.resync();
    expect(proxy().codes()).toEqual([]);
    expect((await curl("http://127.0.0.1:30080/")).body).toBe("a");
  });

  test("SCTP is said to be left out", async () => {
    await proxy().apply(frontend([backend(9)], { protocol: "SCTP" }));
    expect(proxy().health.list()).toMatchObject([{ code: "SERVICE_SCTP_UNSUPPORTED", severity: "info" }]);
    await proxy().apply();
    expect(proxy().codes()).toEqual([]);
  });

  test("addresses that cannot be held are an error, and what can be served is served", async () => {
    proxy().link.apply("service", new Set());
    run("ip", "link", "delete", "svc0");
    run("ip", "link", "add", "svc0", "type", "veth", "peer", "svc1");
    const a = proxy().web("a");
    const nodePort = { kind: "node-port", address: undefined, port: 30_080 } as const;
    await expect(proxy().apply(frontend([a]), frontend([a], nodePort))).rejects.toThrow('Cannot use link "svc0"');
    expect(proxy().codes()).toEqual(["SERVICE_LISTEN_FAILED"]);
    expect((await curl("http://127.0.0.1:30080/")).body).toBe("a");
    run("ip", "link", "delete", "svc0");
    await proxy().applier.resync();
    expect(proxy().codes()).toEqual([]);
    expect((await curl(`http://${SERVICE}/`)).body).toBe("a");
  });
});
