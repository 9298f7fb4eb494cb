import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { minutes, seconds } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { AGENT } from "../support/edge-world.ts";
import type { CniAnswer } from "../support/pod-world.ts";

/** The name by which container runtimes find it. */
const PLUGIN = "/run/selvedge-cni";
const FILES = "/var/lib/cni/networks/fabedge";
const CONFIG = JSON.stringify({
  cniVersion: "1.0.0",
  name: "fabedge",
  type: "selvedge-cni",
  bridge: "br-fabedge",
  isDefaultGateway: true,
  forceAddress: true,
  hairpinMode: true,
  mtu: 1400,
  ipam: { type: "host-local", ranges: [[{ subnet: "10.1.7.0/24" }], [{ subnet: "fd00:7::/64" }]] },
  runtimeConfig: {
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 },
  },
});
const PLAIN = JSON.stringify({ ...JSON.parse(CONFIG), runtimeConfig: undefined });

let lab: Lab;
let node: Host;
beforeAll(async () => {
  lab = await Lab.create();
  node = await lab.host("node");
  await node.output(["ln", "-s", AGENT, PLUGIN]);
}, seconds(30));
afterAll(() => lab?.close());

const environment = (command: "ADD" | "DEL", pod: string) => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: pod,
  CNI_IFNAME: "eth0",
  CNI_NETNS: `/run/netns/${pod}`,
  CNI_PATH: "/run",
});

async function cni(command: "ADD" | "DEL", pod: string, input = CONFIG): Promise<CniAnswer> {
  const { code, stdout, stderr } = await node.run([PLUGIN], { env: environment(command, pod), input });
  expect([pod, code, code === 0 ? "" : stdout, stderr]).toEqual([pod, 0, "", ""]);
  return (stdout === "" ? {} : JSON.parse(stdout)) as CniAnswer;
}

/** What a node has besides its pods' namespaces, as far as the plugin has anything to do with it. */
async function remains(): Promise<string> {
  const script = `ip -br link | grep -oE '^(veth|bwp)\\S+'; nft list tables; ls -A ${FILES} | grep -vE '^(last_reserved_ip|lock|\\.selvedge)'`;
  return await node.output(["sh", "-c", `${script}; true`]);
}

describe("a pod", () => {
  test("is connected by the program under the plugin's name, and by its word", async () => {
    await node.output(["ip", "netns", "add", "one"]);
    const { ips } = await cni("ADD", "one");
    expect(ips.map(({ gateway }) => gateway)).toEqual(["10.1.7.1", "fd00:7::1"]);
    await node.output(["ping", "-c", "1", "-W", "2", ips[0]?.address.split("/")[0] ?? ""]);
    await node.output([AGENT, "cni"], { env: environment("DEL", "one"), input: CONFIG });
    expect(await remains()).toBe("");
  });

  test("is told why not on standard output, with exit status 1 and nothing on standard error", async () => {
    const outcome = await node.run([PLUGIN], { env: environment("ADD", "nobody"), input: CONFIG });
    expect(outcome).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(outcome.stdout)).toMatchObject({ cniVersion: "1.0.0", code: 8 });
  });

  test("whose configuration is longer than a mebibyte is refused", async () => {
    const { code, stdout } = await node.run([PLUGIN], {
      env: environment("ADD", "one"),
      input: `${CONFIG}${" ".repeat(1024 * 1024)}`,
    });
    expect([code, JSON.parse(stdout)]).toEqual([1, expect.objectContaining({ code: 5 })]);
  });
});

test(
  "forty pods at once have forty addresses, and none is left when they go",
  async () => {
    const pods = Array.from({ length: 40 }, (_, i) => `many-${i}`);
    await node.output(["ip", "-batch", "-"], { input: pods.map((pod) => `netns add ${pod}\n`).join("") });
    const answers = await Promise.all(pods.map((pod) => cni("ADD", pod, PLAIN)));
    for (const family of [0, 1]) {
      expect(new Set(answers.map(({ ips }) => ips[family]?.address)).size).toBe(40);
    }
    expect(
      (await node.output(["ip", "-br", "link", "show", "master", "br-fabedge", "up"])).trim().split("\n"),
    ).toHaveLength(40);
    await Promise.all(pods.map((pod) => cni("DEL", pod, PLAIN)));
    expect(await remains()).toBe("");
    await node.output(["ip", "-batch", "-"], { input: pods.map((pod) => `netns delete ${pod}\n`).join("") });
  },
  minutes(2),
);

describe("an ADD that is killed", () => {
  /** Each boundary between two changes is before one of these calls. */
  const CALLS = ["sendto", "write", "rename", "setns"];

  /** @returns whether it was killed: with fewer calls than this it comes to its end */
  async function killed(pod: string, call: string, when: number): Promise<boolean> {
    const inject = `inject=${call}:signal=SIGKILL:when=${when}`;
    const strace = ["strace", "-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject, PLUGIN];
    const { code, stdout } = await node.run(strace, { env: environment("ADD", pod), input: CONFIG });
    if (code === 0) expect(JSON.parse(stdout).ips).toHaveLength(2);
    return code !== 0;
  }

  test.each(CALLS)(
    "before any %s leaves nothing that a DEL does not take, and nobody else's address",
    async (call) => {
      let kills = 0;
      for (let when = 1; ; when++) {
        const pod = `${call}-${when}`;
        await node.output(["ip", "-batch", "-"], { input: `netns add ${pod}\nnetns add next\n` });
        const wasKilled = await killed(pod, call, when);
        const next = await cni("ADD", "next", PLAIN);
        const holders = await node.output(["sh", "-c", `cd ${FILES} && grep -l "^next" *`]);
        expect(holders.trim().split("\n").sort()).toEqual(
          next.ips.map(({ address }) => address.replace(/\/.*/, "")).sort(),
        );
        await Promise.all([cni("DEL", pod), cni("DEL", "next", PLAIN)]);
        expect([pod, await remains()]).toEqual([pod, ""]);
        await node.output(["ip", "-batch", "-"], { input: `netns delete ${pod}\nnetns delete next\n` });
        if (!wasKilled) break;
        kills++;
      }
      // Fewer would mean that the calls go by another name.
      expect(kills).toBeGreaterThanOrEqual(call === "sendto" ? 25 : 4);
    },
    minutes(2),
  );
});

describe("with an agent that knows its subnets", () => {
  const TUNNELS = `id: C=CN, O=fabedge.io, CN=paris.e1
name: paris.e1
publicAddresses: [192.0.2.11]
subnets: [10.2.7.0/24, "fd00:27::/64"]
nodeSubnets: [192.0.2.11]
type: EdgeNode
peers: []
`;
  const BIN = "/run/cni-bin";
  const SETTINGS = [
    ...["--node-name=e1", "--source=hub", "--meta-server=http://192.0.2.1:1", "--enable-dns=false"],
    ...["--tunnels-conf=/run/tunnels.yaml", "--state-dir=/run/state", `--cni-bin-path=${BIN}`],
  ];

  test(
    "pods are connected by what it wrote, whether it runs or not, and cleanup waits for the last of them",
    async () => {
      const edge = await lab.host("edge1");
      await edge.writeFile("/run/tunnels.yaml", TUNNELS);
      await edge.writeFile("/etc/cni/net.d/99-other.conflist", "{}");
      const agent = await edge.spawn([AGENT, "run", ...SETTINGS], { ready: /pods\.network[\s\S]*agent\.ready/ });
      const { name, cniVersion, plugins } = JSON.parse(await edge.readFile("/etc/cni/net.d/fabedge.conflist"));
      // As libcni makes a plugin's configuration of a list.
      const run = async (command: "ADD" | "DEL", pod: string) => {
        const env = { ...environment(command, pod), CNI_PATH: BIN };
        const [plugin] = plugins;
        const input = JSON.stringify({ ...plugin, name, cniVersion });
        return await edge.output([`${BIN}/${plugin.type}`], { env, input });
      };
      await edge.output(["ip", "-batch", "-"], { input: "netns add one\nnetns add two\n" });
      const first = JSON.parse(await run("ADD", "one")) as CniAnswer;
      expect(first.ips.map(({ address }) => address)).toEqual(["10.2.7.2/24", "fd00:27::2/64"]);
      await agent.kill();
      await run("ADD", "two");
      for (const address of ["10.2.7.2", "fd00:27::2"])
        await edge.output(["ip", "netns", "exec", "two", "ping", "-c", "1", "-W", "2", address]);
      const cleanup = () => edge.output([AGENT, "cleanup"], { env: { SELVEDGE_CNI_BIN_PATH: BIN } });
      expect(await cleanup()).not.toContain("fabedge.conflist");
      await edge.output(["ip", "netns", "exec", "two", "ping", "-c", "1", "-W", "2", "10.2.7.2"]);
      await run("DEL", "one");
      await run("DEL", "two");
      const removed = await cleanup();
      for (const what of ["/etc/cni/net.d/fabedge.conflist", `${BIN}/selvedge-cni`, "link br-fabedge"])
        expect(removed).toContain(`removed ${what.startsWith("/") ? "file " : ""}${what}`);
      expect(await edge.output(["ls", "/etc/cni/net.d", BIN])).toContain("99-other.conflist");
    },
    minutes(1),
  );
});
