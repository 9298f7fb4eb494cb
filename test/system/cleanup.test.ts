import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, curl, dig, EdgeWorld, objectsOf, PODS, selvedge, withoutClients } from "../support/edge-world.ts";

const WEB = { name: "web", clusterIp: "10.96.0.10", endpoints: Object.values(PODS) };
const SIX = { name: "six", clusterIp: "fd00:10:96::10", endpoints: ["fd00:10:244:1::21"] };
const LINK = "fabedge-dummy0";

/** What others have on the node, as near to ours as it gets. */
const FOREIGN_TABLES = `
table ip nat { chain KUBE-SERVICES { ip daddr 10.96.0.10 counter; }; }
table inet selvedge { set services { type ipv4_addr; elements = { 10.96.0.10 }; }; }
table ip selvedge2 { chain prerouting { type nat hook prerouting priority dstnat + 5; policy accept; }; }
`;
const FOREIGN_NETWORK = [
  "link add fabedge-dummy1 type bridge",
  "link set fabedge-dummy1 up",
  "address add 169.254.25.11/32 dev fabedge-dummy1",
  "rule add priority 32801 lookup 1095",
  "route add 10.96.0.0/16 dev fabedge-dummy1 table 1095",
  "route add 10.97.0.0/16 dev fabedge-dummy1",
];

let world: EdgeWorld;
let agent: LabProcess;
let before: string;

beforeAll(async () => {
  world = await EdgeWorld.create();
  await world.declare(WEB);
  const [service, slice] = objectsOf(SIX);
  await world.declareObjects("six", [service, { ...slice, addressType: "IPv6" }]);
  await world.edge.output(["nft", "-f", "-"], { input: FOREIGN_TABLES });
  await world.edge.ip(...FOREIGN_NETWORK);
  await world.edge.output("ip -6 rule add priority 32799 lookup 1095".split(" "));
  before = await kernel();
  agent = await world.startAgent();
  await waitFor("the service", async () => (await curl(world.client, `http://${WEB.clusterIp}/`)).startsWith("web-"));
  await waitFor("the other one", async () => (await kernel()).includes(SIX.clusterIp));
}, seconds(30));
afterAll(() => world?.[Symbol.asyncDispose]());

/** Everything that the agent could have touched, but for timers and counters that run by themselves. */
async function kernel(): Promise<string> {
  const script = `nft -a list ruleset; ip -o address; ip -o -d link show type bridge; ip -o link show type dummy
    ip rule; ip -6 rule; ip route show table all; ip -6 route show table all`;
  const text = await world.edge.output(["sh", "-c", script]);
  return withoutClients(text).replaceAll(/(_timer|valid_lft|preferred_lft) +\S+/g, "$1");
}

const ours = () => world.edge.output(["sh", "-c", `nft list tables; ip -o link show ${LINK}; ip rule; ip -6 rule`]);

describe("cleanup", () => {
  test("is refused while the agent runs, and says what to do", async () => {
    const { code, stderr, stdout } = await selvedge(world.edge, "cleanup");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("Cannot clean up while the agent runs");
    expect(stderr).toContain("systemctl stop selvedge");
    expect(await ours()).toContain("table ip selvedge\n");
  });

  test("shows what it would remove, agent or not, and removes nothing", async () => {
    const [kernelBefore, shown] = [await kernel(), await selvedge(world.edge, "cleanup --dry-run")];
    expect(shown.code).toBe(0);
    expect(shown.stdout.trim().split("\n")).toEqual([
      "would remove nftables table ip selvedge",
      "would remove nftables table ip6 selvedge",
      "would remove IPv6 rule 32800 to table 1094",
      "would remove route 10.96.0.0/16 in table 253",
      "would remove route fd00:10:96::/112 in table 1094",
      `would remove link ${LINK}`,
    ]);
    expect(await kernel()).toBe(kernelBefore);
  });

  test("is not what stopping the agent does: kernel and traffic stay as they were", async () => {
    const kernelBefore = await kernel();
    expect(await agent.stop()).toBe(0);
    expect(await kernel()).toBe(kernelBefore);
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
    expect(await dig(world.client, "web")).toBe("no answer");
  });

  test("removes all that is ours and nothing else", async () => {
    const cleaned = await selvedge(world.edge, "cleanup -o json");
    expect(cleaned).toMatchObject({ code: 0, stderr: "" });
    const report = JSON.parse(cleaned.stdout);
    expect(report).toMatchObject({ apiVersion: "selvedge.io/v1", kind: "CleanupReport", dryRun: false });
    expect(report.items).toHaveLength(6);
    expect(report.items.every((item: { removed: boolean }) => item.removed)).toBeTrue();
    expect(await kernel()).toBe(before);
  });

  test("has nothing to do a second time", async () => {
    const again = await selvedge(world.edge, "cleanup");
    expect(again).toMatchObject({ code: 0, stdout: "" });
    expect(again.stderr).toContain("nothing");
    expect(await kernel()).toBe(before);
  });

  test("leaves a cache from which the next agent starts", async () => {
    await world.uplink.unplug();
    await world.startAgent();
    expect(await dig(world.client, "web")).toBe(WEB.clusterIp);
    expect(await backendsOf(world.client, WEB.clusterIp)).toEqual(["web-1", "web-2"]);
  });
});
