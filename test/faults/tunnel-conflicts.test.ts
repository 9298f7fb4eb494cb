import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hours, seconds } from "../../src/base/duration.ts";
import { reaches } from "../lab/fabric/matrix.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf } from "../support/edge-world.ts";
import { SteadyPing } from "../support/steady-ping.ts";
import { makeEdgeEndpoint } from "../support/tunnel-objects.ts";
import { CONNECTOR, type StartedEdge, TunnelWorld, tunnelUp } from "../support/tunnel-world.ts";

let world: TunnelWorld;
let e1: EdgeNode;
let e2: EdgeNode;
let cloud: CloudNode;
let started: StartedEdge;

beforeAll(async () => {
  world = await TunnelWorld.create();
  [e1, e2, cloud] = [world.edge(1), world.edge(2), world.cloud(1)];
  await world.startConnector(cloud);
  started = await world.startEdge(e1, [world.connectorEndpoint(cloud), world.endpoint(e2)]);
  const other = await world.startEdge(e2, [world.connectorEndpoint(cloud), world.endpoint(e1)]);
  await Promise.all([tunnelUp(e1, CONNECTOR), tunnelUp(e1, "paris.e2"), tunnelUp(e2, "paris.e1")]);
  // Where both have begun one, each sends by the other's as soon as it has it, which may be before the other is ready.
  await waitFor("a single IKE_SA between them", async () => {
    const lists = await Promise.all([started, other].map(({ charon }) => charon.swanctl("--list-sas")));
    return lists.every((list) => list.match(/^paris\.e[12]: /gm)?.length === 1);
  });
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

const condition = (code: string) => waitFor(code, () => conditionOf(e1.host, code));
const noCondition = (code: string) =>
  waitFor(`no ${code}`, async () => (await conditionOf(e1.host, code)) === undefined);
const toE2 = () => reaches(e1.pod, { name: "e2", address: e2.podAddresses[0] });

describe("two nodes with the same pods' network", () => {
  test(
    "are told apart by their names, without a packet lost to the one that sorts first",
    async () => {
      const peers = [world.connectorEndpoint(cloud), world.endpoint(e2)];
      const twin = makeEdgeEndpoint("paris.e9", {
        publicAddresses: ["198.51.100.99"],
        subnets: e2.podCidrs,
        nodeSubnets: ["192.168.9.9"],
      });
      const ping = await SteadyPing.start(e1.pod, e2.podAddresses[0]);
      await world.configure(e1, [twin, ...peers]);
      const { message } = await condition("SUBNETS_OVERLAP");
      expect(message).toContain(`${e2.podCidrs[0]} is taken for paris.e2's, and not for paris.e9's`);
      await world.configure(e1, peers);
      await noCondition("SUBNETS_OVERLAP");
      expect(await ping.stop()).toMatchObject({ lost: 0 });
    },
    seconds(30),
  );
});

describe("another program that drops what is forwarded", () => {
  test(
    "is told, with what to do, until that is done, both ways",
    async () => {
      await e1.host.output(["nft", "-f", "-"], {
        input: `table ip filter {
          chain FORWARD { type filter hook forward priority 0; policy drop; }
        }`,
      });
      // As docker begins: with a table and a link.
      await e1.host.ip("link add docker0 type bridge");
      expect((await condition("FORWARD_DROPPED")).message).toContain("ip filter FORWARD");
      expect(await toE2()).toBe(false);
      const accept = (way: string) => `add rule ip filter FORWARD ${way} "br-fabedge" accept`;
      await e1.host.output(["nft", accept("iifname")]);
      expect(await toE2()).toBe(false);
      await e1.host.output(["nft", accept("oifname")]);
      await e1.host.ip("link del docker0");
      await noCondition("FORWARD_DROPPED");
      expect(await toE2()).toBe(true);
      await e1.host.output(["nft", "delete", "table", "ip", "filter"]);
    },
    seconds(90),
  );
});

describe("a certificate that has ended", () => {
  test(
    "is told loudly, and ends no tunnel that is up",
    async () => {
      const ping = await SteadyPing.start(e1.pod, e2.podAddresses[0]);
      await world.certify(e1, { notBefore: Date.now() - hours(2), notAfter: Date.now() - hours(1) });
      expect((await condition("CERTIFICATE_ENDED")).message).toContain("tunnels that are up go on");
      expect(await ping.stop()).toMatchObject({ lost: 0 });
      // With a good one all is well again, and what could not be made in between is made.
      await world.certify(e1);
      await noCondition("CERTIFICATE_ENDED");
      await started.charon.swanctl("--terminate", "--ike", "paris.e2");
      await tunnelUp(e1, "paris.e2");
    },
    seconds(30),
  );
});

describe("a charon that hangs", () => {
  test(
    "is told within five seconds, and the agent goes on when it does",
    async () => {
      const hanging = started.charon.hang();
      await waitFor("CHARON_SILENT", () => conditionOf(e1.host, "CHARON_SILENT"), { timeout: seconds(10) });
      expect((await conditionOf(e1.host, "TUNNEL_GUARD_FAILED"))?.code).toBeUndefined();
      hanging[Symbol.dispose]();
      await noCondition("CHARON_SILENT");
      await tunnelUp(e1, "paris.e2");
    },
    seconds(60),
  );
});
