import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { errorCode } from "../../../src/base/errors.ts";
import { type Ip, parseIp } from "../../../src/base/ip.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { ServiceLink } from "../../../src/linux/service-link.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { untilOwn } from "../../support/own-address.ts";

function ips(...texts: string[]): Set<Ip> {
  return new Set(
    texts.map((text) => {
      const parsed = parseIp(text);
      if (!parsed.ok) throw new Error(parsed.error.why);
      return parsed.value;
    }),
  );
}

function shown(link: string): string[] {
  const oracle = JSON.parse(run("ip", "-json", "address", "show", "dev", link)) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return oracle
    .flatMap((l) => l.addr_info.map((a) => `${a.local}/${a.prefixlen}`))
    .filter((a) => !a.startsWith("fe80"));
}

/** Linux kernels are built with dummy links or without; a bridge stands in. */
function kernelHasDummy(): boolean {
  const made = Bun.spawnSync(["ip", "link", "add", "probe", "type", "dummy"]).exitCode === 0;
  if (made) run("ip", "link", "delete", "probe");
  return made;
}

inNamespace(import.meta.path, () => {
  let socket: NetlinkSocket;
  beforeAll(() => {
    socket = new NetlinkSocket(NETLINK_ROUTE);
  });
  afterAll(() => socket.close());

  test("a link is made with its addresses, of the kind that the kernel has, and a second apply writes nothing", () => {
    const link = new ServiceLink(socket, "fabedge-dummy0");
    const kind = kernelHasDummy() ? "dummy" : "bridge";
    expect(link.apply("dns", ips("169.254.25.10", "fd00::10"))).toEqual({ link: "fabedge-dummy0", kind, writes: 3 });
    expect(shown("fabedge-dummy0")).toEqual(["169.254.25.10/32", "fd00::10/128"]);
    expect(run("ip", "-details", "link", "show", "fabedge-dummy0")).toContain(kind);
    expect(link.apply("dns", ips("169.254.25.10", "fd00::10")).writes).toBe(0);
    expect(new ServiceLink(socket, "fabedge-dummy0").apply("dns", ips("169.254.25.10", "fd00::10")).writes).toBe(0);
    expect(link.remove(true)).toEqual(["link fabedge-dummy0"]);
    expect(shown("fabedge-dummy0").length).toBe(2);
    expect(link.remove(false)).toEqual(["link fabedge-dummy0"]);
    expect(link.remove(false)).toEqual([]);
  });

  test("each owner's addresses stay when another's change", () => {
    const link = new ServiceLink(socket, "owners");
    link.apply("dns", ips("169.254.25.10"));
    link.apply("service", ips("10.96.0.1", "10.96.0.2"));
    link.apply("service", ips("10.96.0.2", "10.96.0.3"));
    expect(shown("owners").sort()).toEqual(["10.96.0.2/32", "10.96.0.3/32", "169.254.25.10/32"]);
    link.remove(false);
  });

  test("what another program changed is put right", () => {
    const link = new ServiceLink(socket, "mended");
    link.apply("dns", ips("169.254.25.10"));
    run("ip", "address", "flush", "dev", "mended");
    run("ip", "link", "set", "mended", "down");
    run("ip", "address", "add", "10.1.1.1/24", "dev", "mended");
    expect(link.repair().writes).toBe(3);
    expect(run("ip", "link", "show", "mended")).toMatch(/<[A-Z,-]*\bUP\b/);
    expect(shown("mended")).toEqual(["169.254.25.10/32"]);
    run("ip", "link", "delete", "mended");
    expect(link.repair().writes).toBe(2);
    expect(shown("mended")).toEqual(["169.254.25.10/32"]);
    link.remove(false);
  });

  test("the addresses are answered on, from scope host", async () => {
    const link = new ServiceLink(socket, "served");
    link.apply("dns", ips("169.254.25.10", "fd00::10"));
    expect(run("ip", "-4", "address", "show", "served")).toContain("scope host");
    for (const hostname of ["169.254.25.10", "fd00::10"]) {
      await untilOwn(hostname);
      const server = Bun.serve({ hostname, port: 0, fetch: () => new Response("here") });
      const host = hostname.includes(":") ? `[${hostname}]` : hostname;
      const curl = Bun.spawn(["curl", "-s", "-m", "5", `http://${host}:${server.port}/`], { stdout: "pipe" });
      expect(await curl.stdout.text()).toBe("here");
      await server.stop(true);
    }
    link.remove(false);
  });

  test("a link of another program is left alone", () => {
    run("ip", "link", "add", "taken", "type", "veth", "peer", "taken-peer");
    run("ip", "address", "add", "10.1.1.1/24", "dev", "taken");
    try {
      new ServiceLink(socket, "taken").apply("dns", ips("169.254.25.10"));
      expect.unreachable();
    } catch (error) {
      expect(errorCode(error)).toBe("SERVICE_LINK_FOREIGN");
    }
    expect(new ServiceLink(socket, "taken").remove(false)).toEqual([]);
    expect(shown("taken")).toEqual(["10.1.1.1/24"]);
    run("ip", "link", "delete", "taken");
  });

  test("a name that is another link's second one is refused, not tried for ever", () => {
    run("ip", "link", "add", "first", "type", "veth", "peer", "first-peer");
    run("ip", "link", "property", "add", "dev", "first", "altname", "second");
    expect(() => new ServiceLink(socket, "second").apply("dns", ips("169.254.25.10"))).toThrow("EEXIST");
    run("ip", "link", "delete", "first");
  });

  test("one refused address keeps no other away", () => {
    run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const link = new ServiceLink(socket, "halved");
    expect(() => link.apply("dns", ips("fd00::10", "169.254.25.10"))).toThrow("Cannot add address fd00::10/128");
    expect(shown("halved")).toEqual(["169.254.25.10/32"]);
    run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0");
    link.remove(false);
  });

  describe("where the kernel can make no link", () => {
    test("lo has the addresses, keeps its own, and gives ours back after a restart too", () => {
      run("ip", "address", "add", "10.5.5.5/32", "dev", "lo");
      const link = new ServiceLink(socket, "absent", []);
      expect(link.apply("dns", ips("169.254.25.10", "fd00::10"))).toEqual({ link: "lo", kind: "loopback", writes: 2 });
      expect(shown("lo").sort()).toEqual(["10.5.5.5/32", "127.0.0.1/8", "169.254.25.10/32", "::1/128", "fd00::10/128"]);
      expect(link.repair().writes).toBe(0);
      expect(link.remove(true).length).toBe(2);
      expect(link.remove(false)).toEqual(["address 169.254.25.10 on lo", "address fd00::10 on lo"]);
      link.apply("dns", ips("169.254.25.11"));
      expect(new ServiceLink(socket, "absent", []).remove(false)).toEqual(["address 169.254.25.11 on lo"]);
      expect(shown("lo").sort()).toEqual(["10.5.5.5/32", "127.0.0.1/8", "::1/128"]);
    });
  });
});
