import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import type { Architecture } from "../lab/machine/architecture.ts";
import { CONNECTOR, fabricNodeFiles, NODES, type NodeName, SERVICE_SUBNET } from "../lab/machine/fabric-nodes.ts";
import { Machine } from "../lab/machine/machine.ts";
import { waitFor } from "../lab/wait-for.ts";
import { effort } from "../support/effort.ts";

const FETCH_AND_BOOT_TIMEOUT = 900_000;
/** Everything takes twenty times as long as on the machine that emulates. */
const LIMIT = seconds(600);
setDefaultTimeout(LIMIT);
const MEMORY_MEGABYTES = 2048;
const DIST = `${import.meta.dir}/../../dist`;
const TARGETS: Readonly<Record<Architecture, string>> = { amd64: "linux-x64", arm64: "linux-arm64" };

function defineTests(architecture: Architecture): void {
  let machine: Machine;
  const run = (script: string) => machine.run(script, LIMIT);
  const output = (script: string) => machine.output(script, LIMIT);

  beforeAll(async () => {
    machine = await Machine.boot({
      architecture,
      system: "debian",
      memoryMegabytes: MEMORY_MEGABYTES,
      files: {
        ...fabricNodeFiles(),
        "/usr/bin/selvedge": Bun.file(`${DIST}/selvedge-${TARGETS[architecture]}`),
        "/usr/bin/selvedge-cloud": Bun.file(`${DIST}/selvedge-cloud-${TARGETS[architecture]}`),
      },
    });
    for (const [name, { address }] of Object.entries(NODES)) await output(`make-node ${name} ${address}`);
    // Everything between nodes crosses the bridge, and what is ESP does not show where it goes.
    await output(
      "nft 'add table bridge tap; add chain bridge tap clear { type filter hook forward priority 0; }; add rule bridge tap clear ip daddr 10.0.0.0/8 counter'",
    );
    await output("start-connector c1");
    for (const name of ["e1", "e2"]) await output(`start-edge ${name}`);
    for (const name of ["e1", "e2"] as const) {
      await waitFor(`the tunnels of ${name}`, () => isUp(name), { timeout: LIMIT }).catch(async (error) => {
        throw new Error(`${error.message}\n${(await run("cat /tmp/*.agent /tmp/*.charon")).output}`);
      });
    }
  }, FETCH_AND_BOOT_TIMEOUT);
  afterAll(() => machine?.close());

  async function tunnelsOf(name: "e1" | "e2"): Promise<readonly TunnelReport[]> {
    const { output: text, code } = await run(`on ${name} selvedge tunnels -o json`);
    return code === 0 ? JSON.parse(text).items : [];
  }
  const isUp = async (name: "e1" | "e2") => {
    const tunnels = await tunnelsOf(name);
    return tunnels.length === 2 && tunnels.every(({ state }) => state === "up");
  };
  const pingBetween = (from: NodeName, to: NodeName, more = "") =>
    run(`on ${from} ping -n -c 3 -i 0.2 -W 2 -I ${NODES[from].gateway} ${more} ${NODES[to].gateway}`);
  const ping = (more: string) => pingBetween("e1", "e2", more);
  async function expectPolicies(node: NodeName, children: readonly (readonly [local: string, remote: string])[]) {
    const policies = await output(`on ${node} ip xfrm policy`);
    for (const [local, remote] of children) {
      expect(policies).toMatch(new RegExp(`^src ${local} dst ${remote} \\n\\s+dir out`, "m"));
      expect(policies).toMatch(new RegExp(`^src ${remote} dst ${local} \\n\\s+dir in`, "m"));
      expect(policies).toMatch(new RegExp(`^src ${remote} dst ${local} \\n\\s+dir fwd`, "m"));
    }
  }
  /** By the kernel's words for packets that are older than the window. */
  async function tooOldAt(node: NodeName): Promise<number> {
    const states = await output(`on ${node} ip -s xfrm state`);
    return [...states.matchAll(/replay-window (\d+) replay \d+ failed/g)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  }

  test("charon is told to leave ESP to the kernel", async () => {
    const config = await output("on e1 cat /run/selvedge/charon/strongswan.conf");
    expect(config).toContain("kernel-netlink");
    expect(config).not.toContain("kernel-libipsec");
    expect((await run("on e1 ip link show ipsec0")).code).not.toBe(0);
  });

  test("the SAs that are shown are the kernel's, with its counters", async () => {
    expect((await ping("-s 56")).code).toBe(0);
    // Where both ends have begun at once, one of two SAs is on its way out.
    await waitFor(
      "what is shown to be the kernel's",
      async () => {
        const tunnels = await tunnelsOf("e1");
        const child = tunnels.flatMap(({ children }) => children).find(({ name }) => name === "paris.e2-p2p");
        const state = await output("on e1 ip -s xfrm state");
        for (const { spiIn, spiOut } of tunnels.flatMap(({ children }) => children)) {
          expect(state).toContain(`spi 0x${spiIn?.padStart(8, "0")}`);
          expect(state).toContain(`spi 0x${spiOut?.padStart(8, "0")}`);
        }
        const outgoing = state.slice(state.indexOf(`spi 0x${child?.spiOut?.padStart(8, "0")}`));
        const [, bytes, packets] = /lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)/.exec(outgoing) ?? [];
        expect([Number(bytes), Number(packets)]).toEqual([child?.bytesOut ?? -1, child?.packetsOut ?? -1]);
        expect(Number(packets)).toBeGreaterThanOrEqual(3);
        return true;
      },
      { timeout: LIMIT },
    );
  });

  test("each child has its policies in the kernel, both ways and for what is forwarded", async () => {
    const [own, peer] = [NODES.e1, NODES.e2];
    await expectPolicies("e1", [
      [own.subnet, peer.subnet],
      [`${own.address}/32`, peer.subnet],
      [own.subnet, `${peer.address}/32`],
    ]);
  });

  test("routes lead to the uplink, with room for what ESP adds, above ones that lead nowhere", async () => {
    const routes = await output("on e1 ip route show table 220");
    expect(routes).toMatch(new RegExp(`^${NODES.e2.subnet} dev link-e1 proto 83 .*mtu 14\\d\\d`, "m"));
    expect(routes).toMatch(new RegExp(`^unreachable ${NODES.e2.subnet} proto 83`, "m"));
  });

  test("a packet as large as the route says goes through, a larger one is refused by its sender", async () => {
    const routes = await output("on e1 ip route show table 220");
    const mtu = Number(/mtu (\d+)/.exec(routes)?.[1]);
    expect((await ping(`-M do -s ${mtu - 28}`)).code).toBe(0);
    expect((await ping(`-M do -s ${mtu - 27}`)).output).toContain("message too long");
  });

  test("a connector carries packets of cloud and edge in the kernel: SAs, policies and routes are as on an edge", async () => {
    const [own, peer] = [NODES.c1, NODES.e1];
    expect((await pingBetween("c1", "e1")).code).toBe(0);
    expect((await pingBetween("e1", "c1")).code).toBe(0);
    await waitFor(
      "the connector's SAs to be the edge's",
      async () => {
        const tunnel = (await tunnelsOf("e1")).find(({ peer }) => peer === CONNECTOR);
        expect(tunnel?.children).toHaveLength(3);
        const states = await output("on c1 ip xfrm state");
        for (const { spiIn, spiOut } of tunnel?.children ?? []) {
          expect(states).toContain(`spi 0x${spiIn?.padStart(8, "0")}`);
          expect(states).toContain(`spi 0x${spiOut?.padStart(8, "0")}`);
        }
        return true;
      },
      { timeout: LIMIT },
    );
    await expectPolicies("c1", [
      [own.subnet, peer.subnet],
      [SERVICE_SUBNET, peer.subnet],
      [`${own.address}/32`, peer.subnet],
      [own.subnet, `${peer.address}/32`],
    ]);
    const pods = await output("on c1 ip route show table 220");
    expect(pods).toMatch(new RegExp(`^${peer.subnet} dev link-c1 proto 83 .*src ${own.address} mtu 14\\d\\d`, "m"));
    expect(pods).toMatch(new RegExp(`^unreachable ${peer.subnet} proto 83`, "m"));
    const nodes = await output("on c1 ip route show table 221");
    expect(nodes).toMatch(new RegExp(`^${peer.address} dev link-c1 proto 83`, "m"));
    const rules = await output("on c1 ip rule");
    expect(rules).toContain("220:\tfrom all lookup 220");
    expect(rules).toContain(`221:\tfrom ${own.subnet} lookup 221`);
  });

  test("packets that arrive hundreds behind others are no replays", async () => {
    const before = await tooOldAt("e2");
    // Three of four wait for a tenth of a second; of a thousand that leave at once hundreds overtake them.
    await output("tc qdisc add dev port-e2 root netem limit 10000 delay 100ms reorder 25% 50%");
    const burst = `on e1 ping -q -n -l 800 -c 800 -i 0.002 -W 5 -I ${NODES.e1.gateway} ${NODES.e2.gateway}`;
    const hundreds = async () => {
      const { output: said } = await run(burst);
      console.log(`${architecture}: ${said.trim().split("\n").slice(-2).join(", ")}`);
      return Number(/(\d+) received/.exec(said)?.[1]) > 400;
    };
    await waitFor("hundreds of echoes", hundreds, { timeout: LIMIT });
    await output("tc qdisc del dev port-e2 root");
    expect((await tooOldAt("e2")) - before).toBe(0);
  });

  test("charon moves an SA to another address of its node, with all that it knows of replays", async () => {
    // An agent would make one anew that does not follow quickly, and nothing is quick here.
    await output(
      "kill -9 $(grep -la 'node-name=e[1]' /proc/[0-9]*/cmdline | cut -d/ -f3); on e1 ip xfrm state >/dev/null",
    );
    const spisOf = async (address: string) => {
      const states = await output("on c1 ip xfrm state");
      return [...states.matchAll(/^src (\S+) dst \S+\n\s+proto esp spi (\S+)/gm)]
        .flatMap(([, source, spi]) => (source === address ? [spi] : []))
        .sort();
    };
    const before = await spisOf(NODES.e1.address);
    expect(before).toHaveLength(3);
    await output("on e1 ip address del 192.0.2.1/24 dev link-e1; on e1 ip address add 192.0.2.101/24 dev link-e1");
    await waitFor("the SAs at the new address", async () => (await spisOf("192.0.2.101")).length === 3, {
      timeout: LIMIT,
    });
    expect(await spisOf("192.0.2.101")).toEqual(before);
    expect(await spisOf(NODES.e1.address)).toEqual([]);
  });

  test("nothing leaves in clear while its SA is gone, nor has before", async () => {
    await output(
      "killall -9 charon-systemd && for node in e1 e2 c1; do on $node ip xfrm state flush; on $node ip xfrm policy flush; done",
    );
    expect((await ping("-c 1 -W 1")).code).not.toBe(0);
    expect((await pingBetween("c1", "e1", "-c 1 -W 1")).code).not.toBe(0);
    expect(await output("nft list chain bridge tap clear")).toContain("counter packets 0 bytes 0");
  });
}

describe("agents and a connector on one amd64 machine, whose kernel does ESP", () => defineTests("amd64"));

if (effort(0, 1) === 1)
  describe("agents and a connector on one arm64 machine, whose kernel does ESP", () => defineTests("arm64"));
