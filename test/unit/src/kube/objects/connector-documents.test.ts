import { describe, expect, test } from "bun:test";
import {
  CONNECTOR_CONFIG,
  type ConnectorDocument,
  joinConnectorConfig,
  parseConnectorDocument,
  parseConnectorText,
  shardName,
} from "../../../../../src/kube/objects/connector-documents.ts";
import { formatNodeConfig, formatPeer, formatPeers } from "../../../../../src/network/node-config-text.ts";
import { makeConnector } from "../../../../support/operator-objects.ts";

const OWN = makeConnector("paris");
const OTHERS = ["lyon", "nice"].map((name) => makeConnector(name));

function document(name: string, text: string): ConnectorDocument {
  const parsed = parseConnectorText(name, text);
  if (!parsed.ok || parsed.value === undefined) throw new Error(`${name} is none: ${Bun.inspect(parsed)}`);
  return parsed.value;
}

function configOf(peerShards: number, peers = OTHERS): ConnectorDocument {
  const config = { endpoint: OWN, peers, mediator: undefined, peerShards };
  return document(CONNECTOR_CONFIG, formatNodeConfig(config));
}

function shardOf(shard: number, peers = [makeConnector(`c${shard}`)]): ConnectorDocument {
  return document(shardName(CONNECTOR_CONFIG, shard), formatPeers(peers.map(formatPeer)));
}

describe("the connectors' configuration", () => {
  test("is one document", () => {
    expect(joinConnectorConfig([configOf(0)])?.peers).toEqual(OTHERS);
  });

  test("has the peers of all its further documents, in whatever order they come", () => {
    const whole = joinConnectorConfig([shardOf(1), configOf(2, []), shardOf(0)]);
    expect(whole?.peers.map(({ name }) => name)).toEqual(["c0.connector", "c1.connector"]);
  });

  test("is not known before all of it is there: peers that are missing are not gone", () => {
    expect(joinConnectorConfig([])).toBeUndefined();
    expect(joinConnectorConfig([shardOf(0)])).toBeUndefined();
    expect(joinConnectorConfig([configOf(2, []), shardOf(1)])).toBeUndefined();
  });

  test("has no peers of documents that it does not have any more", () => {
    expect(joinConnectorConfig([configOf(0), shardOf(0)])?.peers).toEqual(OTHERS);
  });

  test("is told from other ConfigMaps by its name", () => {
    const read = (name: string, data: object) => parseConnectorDocument({ metadata: { namespace: "f", name }, data });
    const text = formatPeers([]);
    expect(read("connector-config-07", { "tunnels.yaml": text })).toMatchObject({ value: { kind: "peers", shard: 7 } });
    for (const name of ["kube-root-ca.crt", "connector-config-x", "connector-config-7", "connector-config2"]) {
      expect(read(name, { "tunnels.yaml": text })).toEqual({ ok: true, value: undefined });
    }
    expect(read(CONNECTOR_CONFIG, {})).toMatchObject({ ok: false, error: { at: "data.tunnels.yaml" } });
    expect(read(CONNECTOR_CONFIG, { "tunnels.yaml": "peers: {" })).toMatchObject({ ok: false });
  });
});
