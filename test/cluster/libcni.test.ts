import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { formatConflist } from "../../edge/pod/conflist.ts";
import { minutes } from "../../src/base/duration.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { toolPaths } from "../lab/tools.ts";
import { prefix } from "../support/network-objects.ts";

const AGENT = join(import.meta.dir, "../../dist/selvedge-linux-x64");
const FILES = "/var/lib/cni/networks/fabedge";
const NAMESPACE = "/run/netns/one";
const PORTS = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] };

/** The library by which containerd, CRI-O and cri-dockerd run plugins, in the program that comes with it. */
describe("the library of container runtimes", () => {
  let lab: Lab;
  let node: Host;
  let cnitool: string;
  beforeAll(async () => {
    ({ cnitool } = await toolPaths("cnitool"));
    lab = await Lab.create();
    node = await lab.host("node");
    await node.output(["sh", "-c", `mkdir /run/bin && ln -s ${AGENT} /run/bin/selvedge-cni && ip netns add one`]);
  }, minutes(5));
  afterAll(() => lab?.close());

  const run = (command: string) =>
    node.run([cnitool, command, "fabedge", NAMESPACE], {
      env: { NETCONFPATH: "/etc/cni/net.d", CNI_PATH: "/run/bin", CAP_ARGS: JSON.stringify(PORTS) },
    });
  async function works(command: string): Promise<string> {
    const { code, stdout, stderr } = await run(command);
    expect([command, code, stderr]).toEqual([command, 0, ""]);
    return stdout;
  }
  const reserved = async () =>
    (await node.output(["ls", FILES])).split("\n").filter((name) => /^[\da-f]+[.:]/.test(name));

  test.each(["0.3.1", "0.4.0", "1.0.0", "1.1.0"])(
    "runs the plugin in version %s by the agent's configuration",
    async (cniVersion) => {
      const settings = {
        cniVersion,
        networkName: "fabedge",
        bridgeName: "br-fabedge",
        mtu: 1400,
        hairpin: true,
      } as const;
      const subnets = [prefix("10.1.7.0/24"), prefix("fd00:7::/64")];
      await node.writeFile(
        "/etc/cni/net.d/fabedge.conflist",
        formatConflist({ ...settings, plugins: "builtin" }, subnets),
      );
      const answer = JSON.parse(await works("add"));
      expect(answer.cniVersion).toBe(cniVersion);
      expect(await reserved()).toEqual(
        answer.ips.map(({ address }: { readonly address: string }) => address.replace(/\/.*/, "")),
      );
      expect(await node.output(["nft", "list", "table", "ip", "selvedge-ports-fabedge"])).toContain("tcp . 8080");
      if (cniVersion !== "0.3.1") {
        await works("check");
        await node.output(["nft", "flush", "map", "ip", "selvedge-ports-fabedge", "ports"]);
        const { code, stderr } = await run("check");
        expect([code, stderr]).toEqual([1, expect.stringContaining("host port 8080 does not lead to the pod")]);
      }
      if (cniVersion === "1.1.0") {
        await works("status");
        await node.output(["sh", "-c", `printf 'gone\\r\\neth0' >${FILES}/10.1.7.200`]);
        // Without being told who is there, it says DEL for each that it knows, and GC without saying more.
        await works("gc");
        expect(await reserved()).toEqual(["10.1.7.200"]);
        await node.output(["rm", `${FILES}/10.1.7.200`]);
      }
      await works("del");
      expect(await reserved()).toEqual([]);
      await works("del");
    },
  );
});
