import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import { formatNodeConfig } from "../../src/network/node-config-text.ts";
import type { TunnelReport } from "../../src/network/tunnel-report.ts";
import { CharonCertificates } from "../lab/charon-certificates.ts";
import type { Architecture } from "../lab/machine/architecture.ts";
import { Machine } from "../lab/machine/machine.ts";
import { waitFor } from "../lab/wait-for.ts";
import { effort } from "../support/effort.ts";
import { ip, prefix } from "../support/network-objects.ts";

const FETCH_AND_BOOT_TIMEOUT = 600_000;
/** Everything takes twenty times as long as on the machine that emulates. */
const LIMIT = seconds(120);
const MEMORY_MEGABYTES = 2048;
const DIST = `${import.meta.dir}/../../dist`;
const PROGRAMS: Readonly<Record<Architecture, string>> = {
  amd64: "selvedge-linux-x64",
  arm64: "selvedge-linux-arm64",
};

const NODES = {
  e1: { address: "192.0.2.1", subnet: "10.244.1.0/24", gateway: "10.244.1.1" },
  e2: { address: "192.0.2.2", subnet: "10.244.2.0/24", gateway: "10.244.2.1" },
} as const;
type Name = keyof typeof NODES;

/** make-node NAME ADDRESS: a namespace with a link, and /run and /etc/cni of its own. `on NAME COMMAND` runs there. */
const MAKE_NODE = `#!/bin/bash
set -e
unshare --net --mount setsid sleep infinity </dev/null >/dev/null 2>&1 &
mkdir -p /nodes && echo $! >/nodes/$1
sleep 0.2
on $1 mount -t tmpfs none /run
on $1 mount -t tmpfs none /opt
ip link set link-$1 netns $(cat /nodes/$1)
on $1 ip link set lo up
on $1 ip address add $2/24 dev link-$1
on $1 ip link set link-$1 up
`;
const ON = `#!/bin/bash
name=$1; shift
exec nsenter --target $(cat /nodes/$name) --net --mount "$@"
`;
const START = `#!/bin/bash
set -e
on $1 selvedge charon-config
on $1 env STRONGSWAN_CONF=/run/selvedge/charon/strongswan.conf setsid /usr/sbin/charon-systemd </dev/null >/tmp/$1.charon 2>&1 &
on $1 setsid selvedge run --node-name=$1 --source=hub --source-url=http://127.0.0.1:1 --enable-dns=false --enable-proxy=false \\
  --state-dir=/var/lib/selvedge-$1 --cni-conf-path=/var/lib/cni-$1 --tunnels-conf=/etc/fabedge/$1/tunnels.yaml \\
  --local-cert=/etc/ipsec.d/$1/certs/tls.crt </dev/null >/tmp/$1.agent 2>&1 &
`;

function nodeFiles(): Record<string, string> {
  const authority = new CharonCertificates();
  const certificates = { e1: authority.issue("paris.e1"), e2: authority.issue("paris.e2") };
  const endpoint = (name: Name) => ({
    id: certificates[name].id,
    name: certificates[name].name,
    publicAddresses: [NODES[name].address],
    port: undefined,
    subnets: [prefix(NODES[name].subnet)],
    nodeSubnets: [ip(NODES[name].address)],
    type: "EdgeNode" as const,
  });
  const config = (own: Name, peer: Name) =>
    formatNodeConfig({ endpoint: endpoint(own), peers: [endpoint(peer)], mediator: undefined, peerShards: 0 });
  const files = (own: Name, peer: Name) => ({
    [`/etc/fabedge/${own}/tunnels.yaml`]: config(own, peer),
    [`/etc/ipsec.d/${own}/certs/tls.crt`]: certificates[own].certificate,
    [`/etc/ipsec.d/${own}/private/tls.key`]: certificates[own].privateKey,
    [`/etc/ipsec.d/${own}/cacerts/ca.crt`]: authority.authority,
  });
  return { ...files("e1", "e2"), ...files("e2", "e1") };
}

function defineTests(architecture: Architecture): void {
  let machine: Machine;
  const run = (script: string) => machine.run(script, LIMIT);
  const output = (script: string) => machine.output(script, LIMIT);

  beforeAll(async () => {
    machine = await Machine.boot({
      architecture,
      system: "systemd",
      memoryMegabytes: MEMORY_MEGABYTES,
      files: {
        ...nodeFiles(),
        "/usr/bin/selvedge": Bun.file(`${DIST}/${PROGRAMS[architecture]}`),
        "/usr/bin/make-node": MAKE_NODE,
        "/usr/bin/on": ON,
        "/usr/bin/start-node": START,
      },
    });
    await output("ip link add link-e1 type veth peer name link-e2");
    for (const [name, { address }] of Object.entries(NODES)) await output(`make-node ${name} ${address}`);
    for (const name of Object.keys(NODES)) await output(`start-node ${name}`);
    await waitFor("the tunnel", async () => (await tunnelOf("e1"))?.state === "up", { timeout: LIMIT }).catch(
      async (error) => {
        throw new Error(`${error.message}\n${(await run("cat /tmp/*.agent /tmp/*.charon")).output}`);
      },
    );
  }, FETCH_AND_BOOT_TIMEOUT);
  afterAll(() => machine?.close());

  async function tunnelOf(name: Name): Promise<TunnelReport | undefined> {
    const { output: text, code } = await run(`on ${name} selvedge tunnels -o json`);
    return code === 0 ? JSON.parse(text).items[0] : undefined;
  }
  const ping = (more: string) =>
    run(`on e1 ping -n -c 3 -i 0.2 -W 2 -I ${NODES.e1.gateway} ${more} ${NODES.e2.gateway}`);

  test("charon is told to leave ESP to the kernel", async () => {
    const config = await output("on e1 cat /run/selvedge/charon/strongswan.conf");
    expect(config).toContain("kernel-netlink");
    expect(config).not.toContain("kernel-libipsec");
    expect((await run("on e1 ip link show ipsec0")).code).not.toBe(0);
  });

  test("the SAs that are shown are the kernel's, with its counters", async () => {
    expect((await ping("-s 56")).code).toBe(0);
    const tunnel = await tunnelOf("e1");
    const child = tunnel?.children.find(({ name }) => name === "paris.e2-p2p");
    const state = await output("on e1 ip -s xfrm state");
    for (const { spiIn, spiOut } of tunnel?.children ?? []) {
      expect(state).toContain(`spi 0x${spiIn?.padStart(8, "0")}`);
      expect(state).toContain(`spi 0x${spiOut?.padStart(8, "0")}`);
    }
    const outgoing = state.slice(state.indexOf(`spi 0x${child?.spiOut?.padStart(8, "0")}`));
    const [, bytes, packets] = /lifetime current:\s+(\d+)\(bytes\), (\d+)\(packets\)/.exec(outgoing) ?? [];
    expect([Number(bytes), Number(packets)]).toEqual([child?.bytesOut ?? -1, child?.packetsOut ?? -1]);
    expect(Number(packets)).toBeGreaterThanOrEqual(3);
  });

  test("each child has its policies in the kernel, both ways and for what is forwarded", async () => {
    const policies = await output("on e1 ip xfrm policy");
    const [own, peer] = [NODES.e1, NODES.e2];
    for (const [local, remote] of [
      [own.subnet, peer.subnet],
      [`${own.address}/32`, peer.subnet],
      [own.subnet, `${peer.address}/32`],
    ]) {
      expect(policies).toMatch(new RegExp(`^src ${local} dst ${remote} \\n\\s+dir out`, "m"));
      expect(policies).toMatch(new RegExp(`^src ${remote} dst ${local} \\n\\s+dir in`, "m"));
      expect(policies).toMatch(new RegExp(`^src ${remote} dst ${local} \\n\\s+dir fwd`, "m"));
    }
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

  test("nothing leaves in clear while its SA is gone", async () => {
    await output(
      "on e2 nft 'add table inet tap; add chain inet tap in { type filter hook prerouting priority -400; }; add rule inet tap in iifname link-e2 meta ipsec missing ip protocol icmp counter'",
    );
    await output("pkill -9 charon-systemd; on e1 ip xfrm state flush; on e1 ip xfrm policy flush");
    expect((await ping("")).code).not.toBe(0);
    expect(await output("on e2 nft list chain inet tap in")).toContain("counter packets 0 bytes 0");
  });
}

describe("two agents on one amd64 machine, whose kernel does ESP", () => defineTests("amd64"));

if (effort(0, 1) === 1) describe("two agents on one arm64 machine, whose kernel does ESP", () => defineTests("arm64"));
