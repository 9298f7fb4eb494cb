import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { type CniAnswer, type CniCommand, PodWorld, type Program } from "../../support/pod-world.ts";

interface IpAddress {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly addr_info: readonly { readonly local: string; readonly scope: string; readonly broadcast?: string }[];
}

/** What is the same of two pods but for their addresses: hardware's, and the last part of the others. */
function likeAnyPod(text: string, pod: string, answer: CniAnswer): string {
  const own = answer.ips.map(({ address }) => address.replace(/\/\d+$/, ""));
  return own
    .reduce((rest, address) => rest.replaceAll(new RegExp(`${address}(?![\\d])`, "g"), "OWN"), text)
    .replaceAll(/([\da-f]{2}:){5}[\da-f]{2}/g, "MAC")
    .replaceAll(/veth[\da-f]{8}/g, "VETH")
    .replaceAll(/bwp[\da-f]{12}/g, "IFB")
    .replaceAll(pod, "POD");
}

inNamespace(import.meta.path, () => {
  let world: PodWorld;
  let pods = 0;
  beforeEach(() => {
    world = new PodWorld();
  });
  afterEach(() => world[Symbol.dispose]());

  async function added(program: Program, rest: Omit<CniCommand, "command" | "pod"> = {}) {
    const pod = `pod-${pods++}`;
    world.pod(pod);
    const answer = await world.do(program, { command: "ADD", pod, ...rest });
    return { pod, answer, remove: (by: Program) => world.do(by, { command: "DEL", pod, ...rest }) };
  }

  const inside = (pod: string, ...words: string[]) => run("ip", "-netns", pod, ...words);

  describe("ADD", () => {
    test.each(["0.3.0", "0.3.1", "0.4.0", "1.0.0"])(
      "answers in version %s as the stock plugins do",
      async (cniVersion) => {
        const [stock, ours] = [await added("stock", { cniVersion }), await added("ours", { cniVersion })];
        const text = ({ pod, answer }: typeof ours) => likeAnyPod(JSON.stringify(answer), pod, answer);
        expect(text(ours)).toBe(text(stock));
        await Promise.all([stock.remove("stock"), ours.remove("ours")]);
      },
    );

    test.each([[["10.1.7.0/24"]], [["fd00:7::/64"]], [["10.1.7.0/24", "fd00:7::/64"]]])(
      "of %p leaves in the pod what the stock plugins leave",
      async (subnets) => {
        const [stock, ours] = [await added("stock", { subnets }), await added("ours", { subnets })];
        const shown = ({ pod, answer }: typeof ours, ...words: string[]) =>
          likeAnyPod(inside(pod, ...words), pod, answer).replaceAll(/@if\d+/g, "");
        for (const words of [
          ["-4", "route"],
          ["-6", "route", "show", "proto", "boot"],
        ]) {
          expect(shown(ours, ...words)).toBe(shown(stock, ...words));
        }
        const addresses = ({ pod, answer }: typeof ours) =>
          (JSON.parse(likeAnyPod(inside(pod, "-json", "address", "show", "eth0"), pod, answer)) as IpAddress[]).map(
            ({ ifname, flags, mtu, addr_info }) => ({
              ifname,
              flags,
              mtu,
              // The kernel's own one is made of the hardware's.
              addresses: addr_info
                .filter(({ scope }) => scope === "global")
                .map(({ local, scope, broadcast }) => ({ local, scope, broadcast })),
            }),
          );
        expect(addresses(ours)).toEqual(addresses(stock));
        await Promise.all([stock.remove("stock"), ours.remove("ours")]);
      },
    );

    test("makes the same port of the bridge", async () => {
      const [stock, ours] = [await added("stock"), await added("ours")];
      const port = ({ answer }: typeof ours) => {
        const [shown] = JSON.parse(
          run("bridge", "-json", "-details", "link", "show", "dev", answer.interfaces[1]?.name ?? ""),
        );
        const { ifindex, ifname, link, link_index, ...rest } = shown;
        return rest;
      };
      expect(port(ours)).toMatchObject({ master: "br-fabedge", hairpin: true, mtu: 1400, state: "forwarding" });
      expect(port(ours)).toEqual(port(stock));
      await Promise.all([stock.remove("stock"), ours.remove("ours")]);
    });

    test("leaves no address that has to wait for who objects", async () => {
      const { pod, remove } = await added("ours");
      expect(inside(pod, "-oneline", "-6", "address", "show", "tentative")).toBe("");
      await remove("ours");
    });

    test("brings loopback up, whose addresses a pod's own programs use", async () => {
      const { pod, remove } = await added("ours");
      expect(inside(pod, "-oneline", "address", "show", "lo")).toMatch(/inet 127\.0\.0\.1\/8[\s\S]*inet6 ::1\/128/);
      await remove("ours");
    });

    test("limits bandwidth as the stock plugins do", async () => {
      const runtimeConfig = {
        bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 16_000_000, egressBurst: 1_600_000 },
      };
      const [stock, ours] = [await added("stock", { runtimeConfig }), await added("ours", { runtimeConfig })];
      const qdiscs = ({ pod, answer }: typeof ours) => {
        const links = new Set(answer.interfaces.map(({ name }) => name));
        const all = JSON.parse(run("tc", "-json", "qdisc", "show")) as {
          readonly dev: string;
          readonly kind: string;
        }[];
        return JSON.parse(
          likeAnyPod(JSON.stringify(all.filter(({ dev, kind }) => links.has(dev) && kind !== "noqueue")), pod, answer),
        );
      };
      expect(qdiscs(ours)).toHaveLength(3);
      expect(qdiscs(ours)).toEqual(qdiscs(stock));
      // The stock plugin's filter has the action a second time, which never has its turn.
      const filter = run("tc", "filter", "show", "dev", ours.answer.interfaces[1]?.name ?? "", "ingress");
      expect(filter).toContain(`mirred (Egress Redirect to device ${ours.answer.interfaces[3]?.name}) stolen`);
      const text = ({ pod, answer }: typeof ours) => likeAnyPod(JSON.stringify(answer), pod, answer);
      expect(text(ours)).toBe(text(stock));
      await Promise.all([stock.remove("ours"), ours.remove("stock")]);
      expect(run("tc", "qdisc", "show")).not.toContain("tbf");
      expect(run("ip", "link", "show", "type", "ifb")).toBe("");
    });
  });

  describe("addresses", () => {
    test("given out by both in turn are all different, and the files are alike", async () => {
      const turns: readonly Program[] = ["ours", "stock", "stock", "ours", "stock", "ours"];
      const made: Awaited<ReturnType<typeof added>>[] = [];
      for (const program of turns) made.push(await added(program));
      const addresses = made.flatMap(({ answer }) => answer.ips.map(({ address }) => address.replace(/\/\d+$/, "")));
      expect(new Set(addresses).size).toBe(12);
      const files = world.files();
      for (const { pod, answer } of made)
        for (const { address } of answer.ips) expect(files[address.replace(/\/\d+$/, "")]).toBe(`${pod}\r\neth0`);
      expect(files["last_reserved_ip.0"]).toBe(addresses.at(-2) ?? "");
      for (const { remove } of made) await remove("ours");
      expect(world.reserved()).toEqual([]);
    });

    test("rest for as long as possible before another pod gets them", async () => {
      const first = await added("ours");
      await first.remove("ours");
      const [second, third] = [await added("ours"), await added("stock")];
      expect(second.answer.ips[0]?.address).not.toBe(first.answer.ips[0]?.address);
      expect(third.answer.ips[0]?.address).not.toBe(first.answer.ips[0]?.address);
      await Promise.all([second.remove("stock"), third.remove("ours")]);
    });
  });

  describe("DEL", () => {
    test.each([
      ["ours", "stock"],
      ["stock", "ours"],
      ["ours", "ours"],
    ] as const)("of what %s made, by %s, leaves nothing", async (maker, remover) => {
      const { pod, remove } = await added(maker);
      await remove(remover);
      expect(world.reserved()).toEqual([]);
      expect(run("ip", "link", "show", "type", "veth")).toBe("");
      expect(inside(pod, "-oneline", "link", "show")).not.toContain("eth0");
      await remove("ours");
      await remove("stock");
    });

    test.each(["a file that is gone", "no file at all"])(
      "of a pod whose namespace is %s leaves nothing",
      async (what) => {
        const { pod, answer } = await added("ours");
        run("ip", "netns", "delete", pod);
        const netns = what === "no file at all" ? "" : `/run/netns/${pod}`;
        await world.do("ours", { command: "DEL", pod, netns });
        expect(world.reserved()).toEqual([]);
        expect(run("ip", "link", "show")).not.toContain(answer.interfaces[1]?.name ?? "");
      },
    );

    test("of a pod whose namespace lives on without a name takes this node's end away", async () => {
      const { pod, answer } = await added("ours");
      const sleeper = Bun.spawn(["ip", "netns", "exec", pod, "sleep", "60"]);
      while (run("ip", "netns", "pids", pod).trim() === "") await Bun.sleep(5);
      run("ip", "netns", "delete", pod);
      await world.do("ours", { command: "DEL", pod });
      expect(run("ip", "link", "show")).not.toContain(answer.interfaces[1]?.name ?? "");
      sleeper.kill();
      await sleeper.exited;
    });
  });
});
