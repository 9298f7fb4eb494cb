import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatPrefix, ipFromBytes, makePrefix } from "../../../../src/base/ip.ts";
import { parseNodeConfig, parsePeerShard } from "../../../../src/kube/objects/node-config.ts";
import { formatNodeConfig, formatPeer, formatPeers } from "../../../../src/network/node-config-text.ts";
import type { TunnelEndpoint } from "../../../../src/network/tunnel-endpoint.ts";
import { makeConnector } from "../../../support/operator-objects.ts";

const ip = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes);
/** Names that YAML would take for something else, and whatever else fits on a line. */
const text = fc.oneof(
  fc.constantFrom(
    "no",
    "1.5",
    "1e3",
    "0x10",
    "~",
    "null",
    "a: b",
    "a #b",
    "- a",
    "a:",
    "::",
    "1:2:3:4:5:6:7:8",
    "=",
    "C=CN, O=x, CN=y",
  ),
  fc.string({ minLength: 1, maxLength: 40 }),
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they do not fit on a line
const line = text.filter((value) => !/[\u0000-\u001f\u007f\ud800-\udfff]/.test(value));
const endpoint: fc.Arbitrary<TunnelEndpoint> = fc.record({
  id: fc.oneof(line, fc.constant("")),
  name: line,
  publicAddresses: fc.array(fc.oneof(ip, fc.constantFrom("e1.example.org", "no", "y", "on.example")), { maxLength: 3 }),
  port: fc.option(
    fc.integer({ min: 1, max: 65_535 }).filter((port) => port !== 500),
    { nil: undefined },
  ),
  subnets: fc.array(
    fc.tuple(ip, fc.nat(32)).map(([address, length]) => makePrefix(address, length)),
    { maxLength: 3 },
  ),
  nodeSubnets: fc.array(ip, { maxLength: 3 }),
  type: fc.constantFrom("Connector", "EdgeNode", undefined),
});
const config = fc.record({
  endpoint,
  peers: fc.array(endpoint, { maxLength: 3 }),
  mediator: fc.option(endpoint, { nil: undefined }),
  peerShards: fc.nat(64),
});

describe("tunnels.yaml", () => {
  test("is what FabEdge writes, field by field", () => {
    const { id, name, publicAddresses, subnets, nodeSubnets, type } = makeConnector("lyon");
    const peers = [makeConnector("nice", { port: 45000, nodeSubnets: [] })];
    const own = { id, name, publicAddresses, subnets, nodeSubnets, type, port: 500 };
    expect(
      formatNodeConfig({ endpoint: own, peers, mediator: undefined, peerShards: 0 }),
    ).toBe(`id: C=CN, O=fabedge.io, CN=lyon.connector
name: lyon.connector
publicAddresses:
  - 198.51.100.9
subnets:
  - 10.97.0.0/16
  - 10.2.0.0/24
nodeSubnets:
  - 10.20.0.4
type: Connector
peers:
  - id: C=CN, O=fabedge.io, CN=nice.connector
    name: nice.connector
    publicAddresses:
      - 198.51.100.9
    subnets:
      - 10.97.0.0/16
      - 10.2.0.0/24
    type: Connector
    port: 45000
`);
  });

  test("is read again as it was written, whatever the names are", () => {
    fc.assert(
      fc.property(config, (written) => {
        expect(parseNodeConfig(formatNodeConfig(written))).toEqual({ ok: true, value: written });
        expect(parsePeerShard(formatPeers(written.peers.map(formatPeer)))).toEqual({ ok: true, value: written.peers });
      }),
    );
  });

  test("says the same to a parser of YAML that knows nothing of it", () => {
    fc.assert(
      fc.property(config, (written) => {
        const document = Bun.YAML.parse(formatNodeConfig(written)) as Record<string, unknown>;
        const { id, name, publicAddresses, subnets, port } = written.endpoint;
        expect(document["id"] ?? "").toBe(id);
        expect(document["name"]).toBe(name);
        expect(document["publicAddresses"] ?? []).toEqual(publicAddresses);
        expect(document["subnets"] ?? []).toEqual(subnets.map(formatPrefix));
        expect(document["port"]).toBe(port);
        expect((document["peers"] as unknown[]).length).toBe(written.peers.length);
      }),
    );
  });

  test("texts are equal exactly when configurations are", () => {
    fc.assert(
      fc.property(config, config, (a, b) => {
        expect(formatNodeConfig(a) === formatNodeConfig(b)).toBe(Bun.deepEquals(a, b));
      }),
    );
  });
});
