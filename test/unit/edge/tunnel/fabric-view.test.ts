import { describe, expect, test } from "bun:test";
import { planFabricView } from "../../../../edge/tunnel/fabric-view.ts";
import { formatPrefix } from "../../../../src/base/ip.ts";
import type { TunnelEndpoint } from "../../../../src/network/tunnel-endpoint.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const edge = (name: string, ...subnets: readonly string[]) => makeEdgeEndpoint(name, { subnets });

function view(own: TunnelEndpoint, ...peers: readonly TunnelEndpoint[]) {
  const { peers: seen, overlaps } = planFabricView({ endpoint: own, peers, mediator: undefined, peerShards: 0 });
  return {
    peers: seen.map(({ name, subnets }) => [name, ...subnets.map(formatPrefix)].join(" ")),
    overlaps: overlaps.map(({ prefix, winner, loser }) => `${formatPrefix(prefix)}: ${winner}, not ${loser}`),
  };
}

describe("networks that two endpoints claim", () => {
  test("are those of the one whose name sorts first, whatever the order in which they are named", () => {
    const [a, b] = [edge("paris.e2", "10.1.8.0/24"), edge("paris.e3", "10.1.8.0/24", "10.1.9.0/24")];
    const expected = {
      peers: ["paris.e2 10.1.8.0/24", "paris.e3 10.1.9.0/24"],
      overlaps: ["10.1.8.0/24: paris.e2, not paris.e3"],
    };
    const own = edge("paris.e1", "10.1.7.0/24");
    expect(view(own, a, b)).toEqual(expected);
    expect(view(own, b, a)).toEqual(expected);
  });

  test("of which one is part of the other are one edge node's, too", () => {
    expect(
      view(edge("paris.e1", "10.1.7.0/24"), edge("paris.e2", "10.1.8.128/25"), edge("paris.e3", "10.1.8.0/24")),
    ).toEqual({
      peers: ["paris.e2 10.1.8.128/25", "paris.e3"],
      overlaps: ["10.1.8.0/24: paris.e2, not paris.e3"],
    });
  });

  test("stay here where this node's pods have them, and it is told whom all others believe", () => {
    const other = edge("paris.e1", "10.1.7.0/24");
    expect(view(edge("paris.e2", "10.1.7.0/24"), other)).toEqual({
      peers: ["paris.e1"],
      overlaps: ["10.1.7.0/24: paris.e1, not paris.e2"],
    });
  });

  test("may be nested where one is a connector's: the longer counts", () => {
    const connector = makeConnectorEndpoint("paris.connector", { subnets: ["10.1.0.0/16", "10.1.8.0/24"] });
    expect(view(edge("paris.e1", "10.1.7.0/24"), connector, edge("paris.e2", "10.1.9.0/24"))).toEqual({
      peers: ["paris.connector 10.1.0.0/16 10.1.8.0/24", "paris.e2 10.1.9.0/24"],
      overlaps: [],
    });
    // The very same is a contradiction.
    expect(view(edge("paris.e1", "10.1.7.0/24"), connector, edge("paris.e2", "10.1.8.0/24")).overlaps).toEqual([
      "10.1.8.0/24: paris.connector, not paris.e2",
    ]);
  });
});
