import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removePodNetwork } from "../../../edge/pod/leftovers.ts";
import { PodNetwork, type PodNetworkSettings } from "../../../edge/pod/pod-network.ts";
import { Health } from "../../../src/base/health.ts";
import { Log } from "../../../src/base/log.ts";
import { Metrics } from "../../../src/base/metrics.ts";
import { Scope } from "../../../src/base/scope.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { SystemClock } from "../../../src/linux/system-clock.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { prefix } from "../../support/network-objects.ts";
import { PodWorld } from "../../support/pod-world.ts";

const STOCK = "/usr/lib/cni";

inNamespace(import.meta.path, () => {
  let world: PodWorld;
  let folder: string;
  let scope: Scope;
  let health: Health;
  let settings: PodNetworkSettings;
  beforeEach(() => {
    world = new PodWorld();
    folder = mkdtempSync(join(tmpdir(), "selvedge-net.d-"));
    scope = new Scope();
    health = new Health(Date.now, () => {});
    settings = {
      plugins: "builtin",
      cniVersion: "0.3.1",
      confPath: join(folder, "net.d"),
      binPath: join(folder, "bin"),
      networkName: "fabedge",
      bridgeName: "br-fabedge",
      mtu: 1400,
      hairpin: true,
    };
  });
  afterEach(async () => {
    Bun.spawnSync(["umount", "/proc/sys"]);
    await scope.close();
    world[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** @param image of an agent that runs in a pod: its program's file */
  function start(changes: Partial<PodNetworkSettings> = {}, image?: string): PodNetwork {
    settings = { ...settings, ...changes };
    const program = {
      executable: image ?? process.execPath,
      inPod: image !== undefined,
      dataDir: world.dataDir,
      log: new Log(() => {}, "error"),
      metrics: new Metrics("test"),
    };
    return new PodNetwork({ settings, health, ...program, clock: new SystemClock(), random: Math.random }, scope);
  }
  const subnets = [prefix("10.1.7.0/24"), prefix("fd00:7::/64")];
  const file = (name = "fabedge.conflist") => join(settings.confPath, name);
  const conditions = () => health.list().map(({ code }) => code);
  const bridge = () => run("ip", "-oneline", "address", "show", "br-fabedge");

  test("there are bridge, plugin and configuration as soon as it knows the pods' subnets, and not before", async () => {
    const network = start();
    await network.set({ subnets: [] });
    expect(existsSync(file())).toBe(false);
    await network.set({ subnets });
    expect(bridge()).toContain("10.1.7.1/24");
    expect(bridge()).toContain("fd00:7::1/64");
    expect(run("ip", "-oneline", "link", "show", "br-fabedge")).toMatch(/[<,]UP[,>].* mtu 1400 /);
    expect(readlinkSync(join(settings.binPath, "selvedge-cni"))).toBe(process.execPath);
    expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual({
      cniVersion: "0.3.1",
      name: "fabedge",
      plugins: [
        {
          type: "selvedge-cni",
          capabilities: { portMappings: true, bandwidth: true },
          bridge: "br-fabedge",
          isDefaultGateway: true,
          forceAddress: true,
          hairpinMode: true,
          mtu: 1400,
          ipam: { type: "host-local", ranges: [[{ subnet: "10.1.7.0/24" }], [{ subnet: "fd00:7::/64" }]] },
        },
      ],
    });
    // No file but these two, and what runtimes read may be read by all.
    expect(readdirSync(settings.confPath)).toEqual(["fabedge.conflist"]);
    expect(statSync(file()).mode & 0o777).toBe(0o644);
    expect(conditions()).toEqual([]);
  });

  test("the configuration for the stock plugins is FabEdge's, and they connect a pod by it", async () => {
    await start({ plugins: "stock", binPath: STOCK }).set({ subnets });
    const conf = JSON.parse(readFileSync(file(), "utf8"));
    expect(conf.plugins.map((plugin: { readonly type: string }) => plugin.type)).toEqual([
      "bridge",
      "portmap",
      "bandwidth",
    ]);
    expect(conditions()).toEqual([]);
    const [plugin] = conf.plugins;
    world.pod("one");
    const { type, ipam, ...bridgeSettings } = plugin;
    const answer = await world.do("stock", {
      command: "ADD",
      pod: "one",
      settings: bridgeSettings,
      ipam: { ranges: ipam.ranges },
    });
    expect(answer.ips.map(({ address }) => address)).toEqual(["10.1.7.2/24", "fd00:7::2/64"]);
  });

  test("plugins that are missing are a condition until they are there", async () => {
    const network = start({ plugins: "stock" });
    await network.set({ subnets });
    expect(conditions()).toEqual(["POD_PLUGINS_MISSING"]);
    mkdirSync(settings.binPath);
    for (const name of ["bridge", "host-local", "portmap", "bandwidth"])
      writeFileSync(join(settings.binPath, name), "", { mode: 0o755 });
    await network.repair();
    expect(conditions()).toEqual([]);
  });

  describe("another network's configuration", () => {
    const foreign = JSON.stringify({ cniVersion: "1.0.0", name: "cbr0", plugins: [{ type: "flannel" }] });

    test("that comes first is left alone, and is a condition until it goes", async () => {
      mkdirSync(settings.confPath, { recursive: true });
      writeFileSync(file("10-flannel.conflist"), foreign);
      const network = start();
      await network.set({ subnets });
      expect(health.list()).toMatchObject([
        { code: "POD_CONFLIST_SHADOWED", message: expect.stringContaining(file("10-flannel.conflist")) },
      ]);
      expect(readFileSync(file("10-flannel.conflist"), "utf8")).toBe(foreign);
      rmSync(file("10-flannel.conflist"));
      await network.repair();
      expect(conditions()).toEqual([]);
    });

    test.each([
      ["99-later.conflist", "no condition: runtimes take ours"],
      ["zz.conf", "no condition: runtimes take ours"],
      ["10-flannel.conflist.bak", "no condition: runtimes do not read it"],
    ])("%s raises %s", async (name) => {
      mkdirSync(settings.confPath, { recursive: true });
      // A digit comes before a letter.
      writeFileSync(file(name.replace("99", "g99")), foreign);
      await start().set({ subnets });
      expect(conditions()).toEqual([]);
    });

    test("that is none, whatever its name, is no condition", async () => {
      mkdirSync(settings.confPath, { recursive: true });
      for (const [name, text] of Object.entries({
        "00-empty.conf": "",
        "01-note.json": '{"a":1}',
        "02-list.conflist": '{"plugins":[]}',
      }))
        writeFileSync(file(name), text);
      await start().set({ subnets });
      expect(conditions()).toEqual([]);
    });
  });

  test("what other programs break is put right, and what is right is not touched", async () => {
    const network = start();
    await network.set({ subnets });
    const before = statSync(file(), { bigint: true });
    await network.repair();
    expect(statSync(file(), { bigint: true }).ino).toBe(before.ino);
    run("ip", "link", "delete", "br-fabedge");
    writeFileSync(file(), "{}");
    rmSync(join(settings.binPath, "selvedge-cni"));
    await network.repair();
    expect(bridge()).toContain("10.1.7.1/24");
    expect(readFileSync(file(), "utf8")).toContain("selvedge-cni");
    expect(readlinkSync(join(settings.binPath, "selvedge-cni"))).toBe(process.execPath);
  });

  test("host ports come back after every table was flushed", async () => {
    const network = start();
    await network.set({ subnets });
    world.pod("one");
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];
    await world.do("ours", { command: "ADD", pod: "one", runtimeConfig: { portMappings } });
    const before = run("nft", "list", "ruleset");
    expect(before).toContain("tcp . 8080 : 10.1.7.2 . 80");
    run("nft", "flush", "ruleset");
    await network.repair();
    expect(run("nft", "list", "ruleset")).toBe(before);
    await world.do("ours", { command: "DEL", pod: "one", runtimeConfig: { portMappings } });
    await network.repair();
    expect(run("nft", "list", "ruleset")).toBe("");
  });

  test("host ports of a pod that the stock plugins took away go with the next look", async () => {
    const network = start();
    await network.set({ subnets });
    const runtimeConfig = (hostPort: number) => ({
      portMappings: [{ hostPort, containerPort: 80, protocol: "tcp" }],
    });
    for (const [pod, port] of [
      ["gone", 8080],
      ["here", 9090],
    ] as const) {
      world.pod(pod);
      await world.do("ours", { command: "ADD", pod, runtimeConfig: runtimeConfig(port) });
    }
    await world.do("stock", { command: "DEL", pod: "gone" });
    const ports = () => run("nft", "list", "map", "ip", "selvedge-ports-fabedge", "ports");
    expect(ports()).toContain("tcp . 8080");
    await network.repair();
    expect(ports()).not.toContain("tcp . 8080");
    expect(ports()).toContain("tcp . 9090 : 10.1.7.3 . 80");
    await start({ plugins: "stock", binPath: STOCK }).set({ subnets });
    await world.do("stock", { command: "DEL", pod: "here" });
    await start({ plugins: "stock", binPath: STOCK }).set({ subnets });
    expect(run("nft", "list", "tables")).not.toContain("selvedge-ports");
  });

  test("a node that does not forward, and may not be told to, is a condition as soon as there is a pod", async () => {
    run("sysctl", "-qw", "net.ipv4.ip_forward=0");
    // As the unit has it.
    run("mount", "--bind", "/proc/sys", "/proc/sys");
    run("mount", "-o", "remount,bind,ro", "/proc/sys");
    const network = start();
    await network.set({ subnets });
    expect(conditions()).toEqual([]);
    expect(bridge()).toContain("fd00:7::1/64");
    run("ip", "link", "add", "veth-pod", "master", "br-fabedge", "type", "veth", "peer", "veth-in");
    await network.repair();
    expect(health.list()).toMatchObject([
      { code: "POD_FORWARDING_OFF", message: expect.stringContaining("net/ipv4/ip_forward") },
    ]);
    run("umount", "/proc/sys");
    await network.repair();
    expect(conditions()).toEqual([]);
    expect(run("sysctl", "-n", "net.ipv4.ip_forward").trim()).toBe("1");
  });

  test("subnets that are others give the bridge other addresses; none takes nothing away", async () => {
    const network = start();
    await network.set({ subnets });
    await network.set({ subnets: [prefix("10.1.9.0/24")] });
    expect(bridge()).toContain("10.1.9.1/24");
    expect(bridge()).not.toContain("10.1.7.1");
    await network.set({ subnets: [] });
    expect(bridge()).toContain("10.1.9.1/24");
    expect(readFileSync(file(), "utf8")).toContain("10.1.9.0/24");
  });

  test("the bridge made anew has the hardware address that pods have learned", async () => {
    const network = start();
    await network.set({ subnets });
    const address = () =>
      (JSON.parse(run("ip", "-json", "link", "show", "br-fabedge"))[0] as { readonly address: string }).address;
    const before = address();
    run("ip", "link", "delete", "br-fabedge");
    await network.repair();
    expect(address()).toBe(before);
    expect(before).toBe("0a:58:0a:01:07:01");
  });

  test("in a pod the plugin is a copy, which is made once", async () => {
    const image = join(folder, "selvedge");
    writeFileSync(image, "a program", { mode: 0o755 });
    const network = start({}, image);
    const plugin = join(settings.binPath, "selvedge-cni");
    // Of one that was killed.
    mkdirSync(settings.binPath);
    writeFileSync(`${plugin}.new`, "a part");
    await network.set({ subnets });
    const { ino, size } = statSync(plugin);
    expect(size).toBe(statSync(image).size);
    expect(statSync(plugin).mode & 0o111).not.toBe(0);
    await network.repair();
    expect(statSync(plugin).ino).toBe(ino);
    // Another version.
    writeFileSync(plugin, "old");
    await network.repair();
    expect(statSync(plugin).size).toBe(size);
    expect(readdirSync(settings.binPath)).toEqual(["selvedge-cni"]);
  });

  test("a folder that cannot be written is a condition, and so is another program's link in the bridge's place", async () => {
    writeFileSync(join(folder, "file"), "");
    await start({ confPath: join(folder, "file") }).set({ subnets });
    expect(health.list()).toMatchObject([{ code: "POD_NETWORK_FAILED", message: expect.stringContaining("EEXIST") }]);
    run("ip", "link", "delete", "br-fabedge");
    run("ip", "link", "add", "br-fabedge", "type", "ifb");
    await start({ confPath: join(folder, "net.d") }).set({ subnets });
    expect(health.list()).toMatchObject([{ message: expect.stringContaining("its kind is ifb") }]);
  });

  describe("cleanup", () => {
    const remove = (dryRun: boolean) => {
      const route = new NetlinkSocket(NETLINK_ROUTE);
      try {
        return removePodNetwork(route, settings, dryRun, world.dataDir);
      } finally {
        route.close();
      }
    };

    test("takes away what is ours, and names it before", async () => {
      await start().set({ subnets });
      const all = [`file ${file()}`, `file ${join(settings.binPath, "selvedge-cni")}`, "link br-fabedge"];
      expect(remove(true)).toEqual(all);
      expect(bridge()).toContain("10.1.7.1/24");
      expect(remove(false)).toEqual(all);
      expect(remove(true)).toEqual([]);
      expect(run("ip", "link", "show")).not.toContain("br-fabedge");
    });

    test("takes the folder of addresses away when none is given out", async () => {
      const addresses = join(world.dataDir, "fabedge");
      await start().set({ subnets });
      world.pod("one");
      await world.do("ours", { command: "ADD", pod: "one" });
      await world.do("ours", { command: "DEL", pod: "one" });
      writeFileSync(join(addresses, "10.1.7.9"), "another\r\neth0");
      expect(remove(false)).not.toContain(`folder ${addresses}`);
      rmSync(join(addresses, "10.1.7.9"));
      // What is not ours is left: the plugin's file says whose it is.
      expect(remove(false)).toEqual([]);
      await start().set({ subnets });
      expect(remove(true)).toContain(`folder ${addresses}`);
      expect(remove(false)).toContain(`folder ${addresses}`);
      expect(existsSync(addresses)).toBe(false);
    });

    test("leaves everything while there are pods", async () => {
      await start().set({ subnets });
      world.pod("one");
      await world.do("ours", { command: "ADD", pod: "one" });
      expect(remove(false)).toEqual([]);
      expect(existsSync(file())).toBe(true);
    });

    test("leaves FabEdge's configuration and bridge", async () => {
      await start({ plugins: "stock", binPath: STOCK }).set({ subnets });
      expect(remove(false)).toEqual([]);
      expect(bridge()).toContain("10.1.7.1/24");
    });
  });
});
