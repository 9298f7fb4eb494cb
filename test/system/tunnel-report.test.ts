import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { seconds } from "../../src/base/duration.ts";
import type { PeerReport, TunnelReport } from "../../src/network/tunnel-report.ts";
import type { Charon } from "../lab/charon.ts";
import type { CloudNode, EdgeNode } from "../lab/fabric/network.ts";
import type { PlainConnector } from "../lab/plain-connector.ts";
import { waitFor } from "../lab/wait-for.ts";
import { conditionOf, selvedge } from "../support/edge-world.ts";
import { CONNECTOR, TunnelWorld, tunnelsOf, tunnelUp } from "../support/tunnel-world.ts";

let world: TunnelWorld;
let e1: EdgeNode;
let e2: EdgeNode;
let c1: CloudNode;
let connector: PlainConnector;
let charon: Charon;

beforeAll(async () => {
  world = await TunnelWorld.create();
  [e1, e2, c1] = [world.edge(1), world.edge(2), world.cloud(1)];
  connector = await world.startConnector(c1);
  // The other edge node is switched off.
  ({ charon } = await world.startEdge(e1, [world.connectorEndpoint(c1), world.endpoint(e2)]));
  await tunnelUp(e1, CONNECTOR);
}, seconds(120));
afterAll(() => world?.[Symbol.asyncDispose]());

const said = async (words: string) => (await selvedge(e1.host, words)).stdout;
const peers = async (): Promise<readonly PeerReport[]> => JSON.parse(await said("peers -o json")).items;

describe("what is told of a tunnel that is up", () => {
  test("is what swanctl lists", async () => {
    await e1.pod.output(["ping", "-n", "-c", "5", "-i", "0.2", c1.podAddresses[0]]);
    // Probes of the agent's own go through it as well: as long as nothing came in between, both saw the same.
    const { report, listed } = await waitFor("two looks that agree", async () => {
      const before = await charon.swanctl("--list-sas", "--ike", CONNECTOR);
      const [found] = (await tunnelsOf(e1)).filter(({ peer }) => peer === CONNECTOR);
      const counters = (text: string) => text.match(/\d+ bytes, +\d+ packets/g)?.join();
      const after = await charon.swanctl("--list-sas", "--ike", CONNECTOR);
      return found !== undefined && counters(before) === counters(after) && { report: found, listed: after };
    });
    const { ike, children } = report as TunnelReport;
    expect(listed).toContain(
      `${CONNECTOR}: #${ike?.uniqueId}, ESTABLISHED, IKEv2, ${ike?.initiatorSpi}_i* ${ike?.responderSpi}_r`,
    );
    expect(listed).toContain(`local  '${report.localId}' @ ${ike?.local.address}[${ike?.local.port}]`);
    expect(listed).toContain(`remote '${report.remoteId}' @ ${ike?.remote.address}[${ike?.remote.port}]`);
    expect(listed.replaceAll(/\s+/g, " ")).toContain(ike?.proposal ?? "none");
    expect(children).toHaveLength(3);
    for (const child of children) {
      expect(listed).toMatch(
        new RegExp(`${child.name}: #${child.uniqueId}, .*INSTALLED, TUNNEL-in-UDP, ESP:${child.proposal}`),
      );
      const [incoming, outgoing] = [
        `in  ${child.spiIn}, +${child.bytesIn} bytes, +${child.packetsIn} packets`,
        `out ${child.spiOut}, +${child.bytesOut} bytes, +${child.packetsOut} packets`,
      ];
      for (const line of [incoming, outgoing]) expect(listed).toMatch(new RegExp(line));
      for (const selector of [...child.localSelectors, ...child.remoteSelectors]) expect(listed).toContain(selector);
    }
    const carried = children.find(({ name }) => name.endsWith("-p2p"));
    expect(carried?.packetsIn).toBeGreaterThanOrEqual(5);
    // e1 is behind a router that translates. Of itself c1 says so, too: ESP in user space is always in UDP.
    expect(ike).toMatchObject({ role: "initiator", nat: { local: true } });
  });

  test("is a page for people, and a line with its peer's way", async () => {
    const page = await said(`tunnels ${CONNECTOR}`);
    expect(page).toMatch(new RegExp(`^${CONNECTOR}   Connector   up since `));
    expect(page).toContain("TUNNEL-in-UDP, ESP:AES_GCM_16");
    const [found] = (await peers()).filter(({ name }) => name === CONNECTOR);
    expect(found).toMatchObject({ path: "ipsec", via: c1.publicAddress, trouble: null });
  });

  test("is in the metrics", async () => {
    const metrics = await e1.host.output(["curl", "-s", "http://127.0.0.1:10560/metrics"]);
    expect(metrics).toContain(`selvedge_tunnel_up{peer="${CONNECTOR}"} 1\n`);
    expect(metrics).toContain('selvedge_tunnel_up{peer="paris.e2"} 0\n');
    expect(metrics).toContain('selvedge_tunnels{state="up"} 1\n');
    expect(metrics).toMatch(/^selvedge_certificate_expiry_timestamp_seconds 1\d{9}$/m);
  });
});

describe("a tunnel that is not up", () => {
  test(
    "says that the peer does not answer, which is only worth knowing of a node at the edge",
    async () => {
      const [, down] = await waitFor(
        "the reason",
        async () => {
          const tunnels = await tunnelsOf(e1);
          // The next try begins a second later, and has an IKE_SA.
          const [, { trouble, ike } = { trouble: null, ike: null }] = tunnels;
          return trouble?.code === "TUNNEL_UNANSWERED" && ike === null && tunnels;
        },
        { timeout: seconds(60) },
      );
      expect(down).toMatchObject({ peer: "paris.e2", ike: null, children: [] });
      expect(down?.trouble?.message).toContain("giving up after");
      expect((await selvedge(e1.host, "tunnels")).code).toBe(3);
      const condition = await waitFor("the condition", () => conditionOf(e1.host, "TUNNELS_DOWN"));
      expect(condition).toMatchObject({ severity: "info", component: "tunnels" });
    },
    seconds(90),
  );

  test(
    "says that the peer does not believe this node, and needs somebody to act when it is the connector",
    async () => {
      await connector.host.output(["rm", "-r", "/etc/swanctl/x509ca"]);
      await connector.charon.swanctl("--load-creds", "--clear");
      await charon.swanctl("--terminate", "--ike", CONNECTOR);
      await waitFor("the reason", async () => (await tunnelsOf(e1))[0]?.trouble?.code === "TUNNEL_REFUSED", {
        timeout: seconds(30),
      });
      expect(await said("tunnels")).toContain("AUTHENTICATION_FAILED");
      await waitFor("the condition", async () => (await conditionOf(e1.host, "TUNNELS_DOWN"))?.severity === "degraded");
      expect((await peers()).map(({ path }) => path)).toEqual(["down", "down"]);
      expect(await said("check")).toContain("TUNNELS_DOWN");
    },
    seconds(60),
  );
});
