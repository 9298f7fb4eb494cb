import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Fabric } from "../../../cloud/connector/fabric.ts";
import { type PeerTunnel, planReach } from "../../../cloud/connector/reach-plan.ts";
import type { TunnelEndpoint } from "../../../src/network/tunnel-endpoint.ts";
import { espCipher } from "../../../src/network/tunnel-mtu.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip, prefix } from "../../support/network-objects.ts";

const OWN = "192.168.7.2";
const REMOTE = "192.168.7.9";
const CIPHER = espCipher("AES_GCM_16", undefined);

function endpoint(name: string, subnet: string, address: string, type: TunnelEndpoint["type"]): TunnelEndpoint {
  const id = `C=CN, O=fabedge.io, CN=${name}`;
  const [subnets, nodeSubnets] = [[prefix(subnet)], [ip(address)]];
  return { id, name, publicAddresses: [], port: undefined, subnets, nodeSubnets, type };
}

const CONNECTOR = endpoint("paris.connector", "10.244.0.0/24", OWN, "Connector");
const EDGES = [1, 2, 3].map((n) => endpoint(`paris.e${n}`, `10.244.${n}.0/24`, `172.16.${n}.1`, "EdgeNode"));
const TUNNEL: PeerTunnel = {
  remoteHost: ip(REMOTE),
  carrier: { udp: true, cipher: CIPHER },
  children: new Set(["p2p", "n2p", "p2n"] as const),
};

inNamespace(import.meta.path, () => {
  let fabric: Fabric;
  beforeAll(() => {
    run("ip", "link", "add", "uplink", "type", "bridge");
    run("ip", "address", "add", `${OWN}/24`, "dev", "uplink");
    run("ip", "link", "set", "uplink", "up");
    fabric = new Fabric();
  });
  afterAll(() => fabric.close());

  const apply = (full: boolean, edges = EDGES, own = CONNECTOR, ...up: readonly number[]) => {
    const tunnels = new Map(up.map((n) => [`paris.e${n}`, TUNNEL]));
    const config = { endpoint: own, peers: edges, mediator: undefined, peerShards: 0 };
    return fabric.apply(planReach(config, tunnels, new Map()), own, [ip(OWN)], full);
  };
  /** Edges by their numbers, and whether packets to them lead anywhere. */
  const routed = () => {
    const lines = run("ip", "route", "show", "table", "220").trim().split("\n");
    const numbers = (shape: RegExp) => lines.flatMap((line) => shape.exec(line)?.[1] ?? []).join("");
    return { nowhere: numbers(/^unreachable 10\.244\.(\d)/), up: numbers(/^10\.244\.(\d)\.0\/24 dev uplink/) };
  };
  const inSet = () => run("nft", "list", "set", "inet", "selvedge-fabric", "remote-pods");

  describe("a connector's kernel", () => {
    test("gets what has become of tunnels and edges, also where only changes are looked at", () => {
      apply(true);
      expect(routed()).toEqual({ nowhere: "123", up: "" });
      apply(false, EDGES, CONNECTOR, 1, 3);
      expect(routed()).toEqual({ nowhere: "123", up: "13" });
      apply(false, EDGES, CONNECTOR, 3);
      expect(routed()).toEqual({ nowhere: "123", up: "3" });
      apply(false, EDGES.slice(1), CONNECTOR, 3);
      expect(routed()).toEqual({ nowhere: "23", up: "3" });
      expect(inSet()).not.toContain("10.244.1.0/24");
      apply(false, EDGES, CONNECTOR, 1, 2, 3);
      expect(routed()).toEqual({ nowhere: "123", up: "123" });
      expect(inSet()).toContain("10.244.1.0/24");
    });

    test("gets the rules of other networks of the cluster at once", () => {
      const wider = { ...CONNECTOR, subnets: [...CONNECTOR.subnets, prefix("10.96.0.0/16")] };
      apply(false, EDGES, wider, 1, 2, 3);
      expect(run("ip", "rule")).toContain("from 10.96.0.0/16 lookup 221");
      apply(false, EDGES, CONNECTOR, 1, 2, 3);
      expect(run("ip", "rule")).not.toContain("10.96.0.0/16");
    });

    test("gets back what somebody took away when all of it is looked at", () => {
      run("ip", "route", "flush", "table", "220");
      apply(true, EDGES, CONNECTOR, 2);
      expect(routed()).toEqual({ nowhere: "123", up: "2" });
      // Of a table that was looked at it is known what is there.
      apply(false, EDGES, CONNECTOR, 2, 3);
      expect(routed()).toEqual({ nowhere: "123", up: "23" });
    });

    test("is looked at as a whole when it tells of our tables, rules or links, or told too much at once", () => {
      const change = {
        tables: new Set<number>(),
        rules: false,
        links: true,
        linkIndexes: new Set<number>(),
        lost: false,
      };
      const index = Number(/^(\d+):/.exec(run("ip", "-o", "link", "show", "uplink"))?.[1]);
      const concerns = (over: Partial<typeof change>) => fabric.concerns({ ...change, ...over });
      expect([concerns({}), concerns({ tables: new Set([254]) }), concerns({ linkIndexes: new Set([1]) })]).toEqual([
        false,
        false,
        false,
      ]);
      expect(concerns({ tables: new Set([220]) })).toBe(true);
      expect(concerns({ tables: new Set([221]) })).toBe(true);
      expect(concerns({ rules: true })).toBe(true);
      expect(concerns({ lost: true })).toBe(true);
      expect(concerns({ linkIndexes: new Set([index]) })).toBe(true);
    });

    test("has chains that drop, until they let the cluster's pods pass both ways", () => {
      const accept = (way: string) =>
        run("nft", "add", "rule", "ip", "filter", "FORWARD", "ip", way, "10.244.0.0/24", "accept");
      expect(apply(true).dropping).toEqual([]);
      run("nft", "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }\n}");
      expect(apply(true).dropping).toEqual(["ip filter FORWARD"]);
      accept("saddr");
      expect(apply(true).dropping).toEqual(["ip filter FORWARD"]);
      accept("daddr");
      // Nobody has looked at all of it.
      expect(apply(false).dropping).toEqual(["ip filter FORWARD"]);
      expect(apply(true).dropping).toEqual([]);
    });
  });
});
