import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DATA_BYTES_MAX } from "../../../../../src/kube/objects/config-map.ts";
import { parseNodeConfig, parsePeerShard } from "../../../../../src/kube/objects/node-config.ts";

/** In the words of FabEdge's own programs, flow style included. */
const FABEDGE = `
id: C=CN, O=fabedge.io, CN=paris.e1
name: paris.e1
publicAddresses: [203.0.113.7]
subnets: [10.1.7.0/24]
nodeSubnets: [192.168.9.7]
type: EdgeNode
peers:
  - {id: "C=CN, O=fabedge.io, CN=paris.connector", name: paris.connector, publicAddresses: [198.51.100.1],
     subnets: [10.96.0.0/12, 10.1.0.0/24], nodeSubnets: [10.0.0.1, 10.0.0.2/32], type: Connector, port: 45000}
mediator: {id: "C=CN, O=fabedge.io, CN=paris.connector", name: mediator, publicAddresses: [198.51.100.1], port: 45000}
somethingNew: {of: a later version}
`;

function reason(text: string): string {
  const parsed = parseNodeConfig(text);
  return parsed.ok ? "" : `${parsed.error.at}: ${parsed.error.why}`;
}

describe("a node's configuration", () => {
  test("is read as FabEdge writes it", () => {
    expect(parseNodeConfig(FABEDGE) as unknown).toEqual({
      ok: true,
      value: {
        endpoint: {
          id: "C=CN, O=fabedge.io, CN=paris.e1",
          name: "paris.e1",
          publicAddresses: ["203.0.113.7"],
          port: undefined,
          subnets: [{ address: "10.1.7.0", length: 24 }],
          nodeSubnets: ["192.168.9.7"],
          type: "EdgeNode",
        },
        peers: [
          {
            id: "C=CN, O=fabedge.io, CN=paris.connector",
            name: "paris.connector",
            publicAddresses: ["198.51.100.1"],
            port: 45000,
            subnets: [
              { address: "10.96.0.0", length: 12 },
              { address: "10.1.0.0", length: 24 },
            ],
            nodeSubnets: ["10.0.0.1", "10.0.0.2"],
            type: "Connector",
          },
        ],
        mediator: {
          id: "C=CN, O=fabedge.io, CN=paris.connector",
          name: "mediator",
          publicAddresses: ["198.51.100.1"],
          port: 45000,
          subnets: [],
          nodeSubnets: [],
          type: undefined,
        },
        peerShards: 0,
      },
    });
  });

  test.each([
    ["peers: [", "not YAML"],
    ["peers: []", "name: missing"],
    ["name: ''", "name: empty"],
    ["- a", "not an object"],
    ["name: a\npeers: {}", "peers: not an array"],
    ["name: a\npeers: [{name: b, subnets: [10.0.0.0/33]}]", "peers[0].subnets[0]: not an address"],
    ["name: a\nnodeSubnets: [10.0.0.0/24]", "nodeSubnets[0]: not one node's address"],
    ["name: a\nport: 70000", "port: not a whole number"],
    ['name: "a\\nb"', "name: more than one line"],
    ["name: a\npublicAddresses: ['$(reboot)']", "publicAddresses[0]: neither an address nor a host name"],
    ["name: a\npeerShards: 1000", "peerShards: not a whole number"],
  ])("that is wrong is refused at its place: %j", (text, why) => {
    expect(reason(text)).toContain(why);
  });

  test("is not longer than a ConfigMap can be", () => {
    expect(reason(`name: a${" ".repeat(DATA_BYTES_MAX)}`)).toContain("longer than");
  });

  test("never throws, whatever it is given", () => {
    const pieces = fc.array(
      fc.constantFrom(
        "name: a\n",
        "peers:\n",
        "  - ",
        "&a ",
        "*a",
        "[",
        "{",
        "}",
        ": ",
        '"',
        "\t",
        "\u0000",
        "!!",
        "<<: ",
      ),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((p) => p.join("")),
          fc.jsonValue().map((v) => JSON.stringify(v)),
        ),
        (text) => {
          parseNodeConfig(text);
          parsePeerShard(text);
        },
      ),
    );
  });
});
