import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ipFromBytes, makePrefix } from "../../../../src/base/ip.ts";
import { parsePublication, parsePublicationText } from "../../../../src/kube/objects/connector-publication.ts";
import {
  CLAIM_MAX,
  type ConnectorPublication,
  type EdgeClaim,
  formatPublication,
  nextClaim,
  planHolders,
} from "../../../../src/network/connector-claims.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes);
const network = fc.tuple(address, fc.nat(32)).map(([of, length]) => makePrefix(of, length));
const edge: fc.Arbitrary<EdgeClaim> = fc.record({
  name: fc.constantFrom("p.e1", "p.e2", "p.e3", "p.e4"),
  claim: fc.integer({ min: 1, max: 4 }),
  subnets: fc.array(network, { maxLength: 2 }),
  nodeSubnets: fc.array(address, { maxLength: 2 }),
});
const edges = fc.uniqueArray(edge, { selector: ({ name }) => name });
const publications: fc.Arbitrary<readonly ConnectorPublication[]> = fc.uniqueArray(
  fc.record({ node: fc.constantFrom("c1", "c2", "c3"), address, prefixes: fc.array(network, { maxLength: 2 }), edges }),
  { selector: ({ node }) => node },
);

function publish(node: string, claims: Readonly<Record<string, number>>): ConnectorPublication {
  const held = Object.entries(claims).map(([name, claim]) => ({ name, claim, subnets: [], nodeSubnets: [] }));
  return { node, address: ip("10.0.0.1"), prefixes: [], edges: held };
}

function holdersOf(all: readonly ConnectorPublication[]): Readonly<Record<string, string>> {
  return Object.fromEntries([...planHolders(all)].map(([name, { connector }]) => [name, connector.node]));
}

function reason(text: string): string {
  const parsed = parsePublicationText(text, "c1");
  return parsed.ok ? "" : `${parsed.error.at}: ${parsed.error.why}`;
}

const GOOD = { version: 1, node: "c1", address: "10.0.0.1", prefixes: ["10.244.1.0/24"] };
const EDGE = { name: "paris.e1", claim: 7, subnets: ["10.1.7.0/24"], nodeSubnets: ["192.168.9.7"] };

describe("who holds an edge", () => {
  test("is the connector with the highest claim", () => {
    expect(holdersOf([publish("c1", { "p.e1": 3, "p.e2": 1 }), publish("c2", { "p.e1": 2, "p.e2": 2 })])).toEqual({
      "p.e1": "c1",
      "p.e2": "c2",
    });
  });

  test("is, of two connectors that claimed it at once, the one of the smaller name", () => {
    expect(holdersOf([publish("c2", { "p.e1": 3 }), publish("c1", { "p.e1": 3 })])).toEqual({ "p.e1": "c1" });
  });

  test("is the same whoever asks, in whatever order the connectors spoke", () => {
    fc.assert(
      fc.property(publications, fc.infiniteStream(fc.nat()), (all, order) => {
        const shuffled = [...all].map((one) => [order.next().value ?? 0, one] as const).sort(([a], [b]) => a - b);
        expect(holdersOf(shuffled.map(([, one]) => one))).toEqual(holdersOf(all));
      }),
    );
  });

  test("is whoever claims it next, and nobody else's changes", () => {
    fc.assert(
      fc.property(publications, fc.constantFrom("c1", "c2", "c3"), (all, node) => {
        const before = planHolders(all);
        const claim = nextClaim(before.get("p.e1")?.edge.claim ?? 0);
        const own = all.find((one) => one.node === node);
        const others = all.filter((one) => one.node !== node);
        const kept = Object.fromEntries((own?.edges ?? []).map(({ name, claim: old }) => [name, old]));
        const after = holdersOf([...others, publish(node, { ...kept, "p.e1": claim })]);
        expect(after).toEqual({ ...holdersOf(all), "p.e1": node });
      }),
    );
  });

  test("stays a number that the next reader takes, however often an edge has moved", () => {
    expect(nextClaim(CLAIM_MAX)).toBe(CLAIM_MAX);
    expect(nextClaim(0)).toBe(1);
  });
});

describe("a connector's publication", () => {
  test("has the documented form", () => {
    const edges = [{ name: "paris.e1", claim: 7, subnets: [prefix("10.1.7.0/24")], nodeSubnets: [ip("192.168.9.7")] }];
    const text = formatPublication({ node: "c1", address: ip("10.0.0.1"), prefixes: [prefix("10.244.1.0/24")], edges });
    expect(JSON.parse(text)).toEqual({ ...GOOD, edges: [EDGE] });
  });

  test("is read again as it was written", () => {
    fc.assert(
      fc.property(publications, (all) => {
        for (const written of all) {
          const read = parsePublicationText(formatPublication(written), written.node);
          const sorted = [...written.edges].sort((a, b) => (a.name < b.name ? -1 : 1));
          expect(read).toEqual({ ok: true, value: { ...written, edges: sorted } });
        }
      }),
    );
  });

  test("has one text, in whatever order the edges came", () => {
    fc.assert(
      fc.property(publications, (all) => {
        for (const written of all) {
          expect(formatPublication({ ...written, edges: [...written.edges].reverse() })).toBe(
            formatPublication(written),
          );
        }
      }),
    );
  });

  test("is read out of its ConfigMap, and no other ConfigMap is one", () => {
    const data = { "edges.json": JSON.stringify({ ...GOOD, edges: [EDGE] }) };
    const inside = (name: string) => parsePublication({ metadata: { namespace: "fabedge", name }, data });
    expect(inside("fabedge-connector-c1")).toEqual(parsePublicationText(data["edges.json"], "c1"));
    expect(inside("connector-config")).toEqual({ ok: true, value: undefined });
    expect(inside("fabedge-connector-c2").ok).toBe(false);
  });

  test.each([
    ["", "not JSON"],
    [JSON.stringify({ ...GOOD, version: 2 }), "version: not 1"],
    [JSON.stringify({ ...GOOD, version: undefined }), "version: missing"],
    [JSON.stringify({ ...GOOD, node: "c2" }), "node: not the node"],
    [JSON.stringify({ ...GOOD, address: "c1" }), "address: not an IPv4 or IPv6 address"],
    [JSON.stringify({ ...GOOD, prefixes: ["10.0.0.0/33"] }), "prefixes[0]: not an address with a prefix length"],
    [JSON.stringify({ ...GOOD, edges: [{ ...EDGE, claim: 0 }] }), "edges[0].claim: not a whole number"],
    [JSON.stringify({ ...GOOD, edges: [{ ...EDGE, claim: CLAIM_MAX + 1 }] }), "edges[0].claim: not a whole number"],
    [JSON.stringify({ ...GOOD, edges: [{ ...EDGE, name: "" }] }), "edges[0].name: empty"],
    [JSON.stringify({ ...GOOD, edges: [EDGE, EDGE] }), "edges: a name twice"],
    [JSON.stringify({ ...GOOD, edges: [{ ...EDGE, nodeSubnets: ["10.0.0.0/8"] }] }), "edges[0].nodeSubnets[0]"],
  ])("that is wrong is refused at its place: %s", (text, why) => {
    expect(reason(text)).toContain(why);
  });

  test("is not longer than a ConfigMap can be", () => {
    expect(reason(`${JSON.stringify(GOOD)}${" ".repeat(1024 * 1024)}`)).toContain("not JSON");
  });
});
