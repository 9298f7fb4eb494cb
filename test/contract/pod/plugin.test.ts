import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ifbName } from "../../../edge/pod/ifb-name.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { type CniAnswer, type CniCommand, NETWORK, PodWorld } from "../../support/pod-world.ts";

inNamespace(import.meta.path, () => {
  let world: PodWorld;
  beforeEach(() => {
    world = new PodWorld();
  });
  afterEach(() => world[Symbol.dispose]());

  const add = (pod: string, rest: Partial<CniCommand> = {}) => {
    world.pod(pod);
    return world.do("ours", { command: "ADD", pod, ...rest });
  };
  async function refusal(command: CniCommand): Promise<{ readonly code: number; readonly msg: string }> {
    const { code, text } = await world.try("ours", command);
    expect(code).toBe(1);
    return JSON.parse(text);
  }
  const hostEnd = (answer: CniAnswer) => answer.interfaces[1]?.name ?? "";
  const inside = (pod: string, ...words: string[]) => run("ip", "-netns", pod, ...words);

  describe("ADD", () => {
    test("with every address in use says so, and takes the one that is given back", async () => {
      const folder = join(world.dataDir, NETWORK);
      mkdirSync(folder, { recursive: true });
      // .1 is the gateway, .255 the broadcast address.
      for (let i = 2; i <= 254; i++) writeFileSync(join(folder, `10.1.7.${i}`), `other-${i}\r\neth0`);
      const subnets = ["10.1.7.0/24"];
      world.pod("one");
      const { code, msg } = await refusal({ command: "ADD", pod: "one", subnets });
      expect([code, msg]).toEqual([
        100,
        'POD_ADDRESSES_EXHAUSTED: Cannot give the pod an address as network "fabedge" has none left: 10.1.7.1 to 10.1.7.254',
      ]);
      expect(run("ip", "link", "show", "type", "veth")).toBe("");
      await world.do("ours", { command: "DEL", pod: "other-77", netns: "", subnets });
      const answer = await world.do("ours", { command: "ADD", pod: "one", subnets });
      expect(answer.ips[0]?.address).toBe("10.1.7.77/24");
    });

    test("of a small subnet goes to as many pods as with the stock plugin", async () => {
      const subnets = ["10.1.7.0/28"];
      const addresses = new Set<string>();
      for (let i = 0; i < 13; i++) addresses.add((await add(`p${i}`, { subnets })).ips[0]?.address ?? "");
      expect(addresses.size).toBe(13);
      world.pod("more");
      expect((await refusal({ command: "ADD", pod: "more", subnets })).code).toBe(100);
      expect((await world.try("stock", { command: "ADD", pod: "more", subnets })).text).toContain(
        "no IP addresses available",
      );
    });

    test("takes an address whose owner was killed before it wrote its name", async () => {
      const folder = join(world.dataDir, NETWORK);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "10.1.7.2"), "");
      const answer = await add("one", { subnets: ["10.1.7.0/30"] });
      expect(answer.ips[0]?.address).toBe("10.1.7.2/30");
    });

    test("twice for one pod is an error, and the first stays as it is", async () => {
      const { ips } = await add("one");
      expect(await refusal({ command: "ADD", pod: "one" })).toMatchObject({ code: 101 });
      expect(inside("one", "address", "show", "eth0")).toContain(ips[0]?.address ?? "none");
      expect(world.reserved()).toHaveLength(2);
    });

    test("into this node's own namespace is refused", async () => {
      const { code, msg } = await refusal({ command: "ADD", pod: "one", netns: "/proc/self/ns/net" });
      expect([code, msg]).toEqual([8, expect.stringContaining("it is this node's own network namespace")]);
    });

    test.each(["/etc/hostname", "/nowhere"])("into %s, which is no namespace, is refused", async (netns) => {
      expect(await refusal({ command: "ADD", pod: "one", netns })).toMatchObject({ code: 8 });
      expect(world.reserved()).toEqual([]);
    });

    test("on a link that is no bridge is refused, and nothing stays", async () => {
      run("ip", "link", "add", "br-fabedge", "type", "ifb");
      world.pod("one");
      expect(await refusal({ command: "ADD", pod: "one" })).toMatchObject({
        code: 103,
        msg: 'POD_BRIDGE_FOREIGN: Cannot use link "br-fabedge" as a bridge for pods: its kind is ifb',
      });
      expect(world.reserved()).toEqual([]);
      expect(inside("one", "-oneline", "link", "show")).not.toContain("eth0");
    });

    test("that fails half-way leaves nothing", async () => {
      world.pod("one");
      run("ip", "link", "add", ifbName(NETWORK, "one"), "type", "ifb");
      const runtimeConfig = { bandwidth: { egressRate: 8_000_000, egressBurst: 800_000 } };
      expect(await refusal({ command: "ADD", pod: "one", runtimeConfig })).toMatchObject({
        code: 106,
        msg: expect.stringContaining("Cannot limit the pod's bandwidth as the kernel refuses: EEXIST"),
      });
      expect(inside("one", "-oneline", "link", "show")).not.toContain("eth0");
      expect(run("ip", "link", "show", "type", "veth")).toBe("");
      expect(world.reserved()).toEqual([]);
    });

    test("that another subnet's bridge is in the way of fails without forceAddress, and replaces its address with it", async () => {
      await add("one", { subnets: ["10.1.7.0/24"] });
      const moved = { pod: "two", subnets: ["10.1.8.0/24"] };
      world.pod("two");
      const gentle = await refusal({ command: "ADD", ...moved, settings: { forceAddress: false } });
      expect(gentle).toMatchObject({ code: 104, msg: expect.stringContaining("current value is 10.1.7.1/24") });
      await world.do("ours", { command: "ADD", ...moved });
      const addresses = run("ip", "-oneline", "-4", "address", "show", "br-fabedge");
      expect(addresses).toContain("10.1.8.1/24");
      expect(addresses).not.toContain("10.1.7.1");
    });

    test("lets this node forward, and keeps it listening to routers that it listened to", async () => {
      run("ip", "link", "add", "uplink", "type", "veth", "peer", "router");
      run(
        "sysctl",
        "-qw",
        "net.ipv4.ip_forward=0",
        "net.ipv6.conf.all.forwarding=0",
        "net.ipv6.conf.uplink.accept_ra=1",
      );
      await add("one");
      const values = run(
        "sysctl",
        "-n",
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.ipv6.conf.uplink.accept_ra",
      );
      expect(values.trim().split("\n")).toEqual(["1", "1", "2"]);
      run("ip", "link", "delete", "uplink");
    });

    test("packets pass the moment that it answers", async () => {
      await add("one");
      const { ips } = await add("two");
      run("ip", "netns", "exec", "one", "ping", "-c", "1", "-W", "1", ips[0]?.address.split("/")[0] ?? "");
      run("ip", "netns", "exec", "one", "ping", "-c", "1", "-W", "1", ips[1]?.address.split("/")[0] ?? "");
    });
  });

  describe("CHECK", () => {
    const runtimeConfig = {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 },
    };

    test("finds what ADD left as it is, whichever program made it", async () => {
      for (const maker of ["ours", "stock"] as const) {
        world.pod(maker);
        const ports = maker === "ours" ? runtimeConfig : { bandwidth: runtimeConfig.bandwidth };
        const rest = { pod: maker, runtimeConfig: ports };
        const prevResult = await world.do(maker, { command: "ADD", ...rest });
        await world.do("ours", { command: "CHECK", ...rest, prevResult });
      }
    });

    const breaks: readonly (readonly [string, (pod: string, answer: CniAnswer) => unknown, string])[] = [
      ["the pod's interface is gone", (pod) => inside(pod, "link", "delete", "eth0"), "the pod has no interface eth0"],
      ["the pod's interface is down", (pod) => inside(pod, "link", "set", "eth0", "down"), "interface eth0 is down"],
      [
        "the pod lost an address",
        (pod) => inside(pod, "address", "delete", "10.1.7.2/24", "dev", "eth0"),
        "interface eth0 lacks address 10.1.7.2/24; the pod has no route to 0.0.0.0/0 by 10.1.7.1",
      ],
      [
        "the pod lost a route",
        (pod) => inside(pod, "-6", "route", "delete", "default"),
        "the pod has no route to ::/0 by fd00:7::1",
      ],
      [
        "the hardware address is another",
        (pod) => inside(pod, "link", "set", "eth0", "address", "02:00:00:00:00:07"),
        "interface eth0 has another hardware address",
      ],
      [
        "this node's end left the bridge",
        (_, answer) => run("ip", "link", "set", hostEnd(answer), "nomaster"),
        "is no port of bridge br-fabedge",
      ],
      [
        "hairpin is off",
        (_, answer) => run("bridge", "link", "set", "dev", hostEnd(answer), "hairpin", "off"),
        "is off",
      ],
      ["the bridge is down", () => run("ip", "link", "set", "br-fabedge", "down"), "bridge br-fabedge is down"],
      [
        "the bridge lost its address",
        () => run("ip", "address", "delete", "10.1.7.1/24", "dev", "br-fabedge"),
        "bridge br-fabedge lacks address 10.1.7.1",
      ],
      [
        "the address is another pod's",
        () => writeFileSync(join(world.dataDir, NETWORK, "10.1.7.2"), "other\r\neth0"),
        "address 10.1.7.2 is not reserved for it",
      ],
      [
        "what goes to it is not limited any more",
        (_, answer) => run("tc", "qdisc", "delete", "dev", hostEnd(answer), "root"),
        "what goes to the pod is not limited",
      ],
      [
        "what comes from it is not limited any more",
        (_, answer) => run("ip", "link", "delete", answer.interfaces[3]?.name ?? ""),
        "what goes from the pod is not limited",
      ],
      [
        "its host port leads nowhere",
        () => run("nft", "delete", "element", "ip", `selvedge-ports-${NETWORK}`, "ports", "{ tcp . 8080 }"),
        "host port 8080 does not lead to the pod",
      ],
    ];
    test.each(breaks)("says that %s", async (_, spoil, sentence) => {
      const prevResult = await add("one", { runtimeConfig });
      spoil("one", prevResult);
      const { code, msg } = await refusal({ command: "CHECK", pod: "one", runtimeConfig, prevResult });
      expect([code, msg]).toEqual([107, expect.stringContaining(sentence)]);
    });
  });

  test("GC takes what belongs to nobody any more, and nothing else", async () => {
    const runtimeConfig = {
      portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
      bandwidth: { ingressRate: 0, ingressBurst: 0, egressRate: 8_000_000, egressBurst: 800_000 },
    };
    const [kept, gone] = [await add("kept"), await add("gone", { runtimeConfig })];
    run("ip", "link", "add", "veth-foreign", "type", "veth", "peer", "veth-other");
    writeFileSync(join(world.dataDir, NETWORK, "10.1.7.99"), "");
    const settings = { "cni.dev/valid-attachments": [{ containerID: "kept", ifname: "eth0" }] };
    // Nobody has said who is there.
    await world.do("ours", { command: "GC", cniVersion: "1.1.0" });
    expect(world.reserved()).toHaveLength(4);
    await world.do("ours", { command: "GC", cniVersion: "1.1.0", settings });
    expect(world.reserved()).toEqual(kept.ips.map(({ address }) => address.replace(/\/.*/, "")));
    const links = run("ip", "link", "show");
    expect(links).toContain(hostEnd(kept));
    expect(links).toContain("veth-foreign");
    for (const name of [hostEnd(gone), gone.interfaces[3]?.name ?? "none"]) expect(links).not.toContain(name);
    expect(run("nft", "list", "tables")).toBe("");
    run("ip", "link", "delete", "veth-foreign");
  });

  test("STATUS is well until pods cannot be connected", async () => {
    await world.do("ours", { command: "STATUS", cniVersion: "1.1.0" });
    run("ip", "link", "add", "br-fabedge", "type", "ifb");
    expect(await refusal({ command: "STATUS", cniVersion: "1.1.0" })).toMatchObject({ code: 50 });
  });
});
