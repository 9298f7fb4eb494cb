import { type DecodeError, fail, ok, type Result } from "../../base/result.ts";
import type { NodeConfig } from "../../network/node-config.ts";
import type { TunnelEndpoint } from "../../network/tunnel-endpoint.ts";
import { parseConfigMap } from "./config-map.ts";
import { parseNodeConfig, parsePeerShard } from "./node-config.ts";
import { TUNNELS_FILE } from "./node-documents.ts";

/** FabEdge's names for what the connectors of a cluster share. */
export const CONNECTOR_CONFIG = "connector-config";
export const CONNECTOR_TLS = "connector-tls";
/** Its value is the first of these names; FabEdge has no further documents, and needs no label to find them. */
export const CONFIG_NAME_LABEL = "fabedge.io/name";

/** One of the ConfigMaps that the connectors' configuration is made of. */
export type ConnectorDocument =
  | { readonly kind: "config"; readonly config: NodeConfig; readonly text: string }
  | {
      readonly kind: "peers";
      readonly shard: number;
      readonly peers: readonly TunnelEndpoint[];
      readonly text: string;
    };

/** Reads one of them; undefined: it is something else. */
export function parseConnectorDocument(json: unknown): Result<ConnectorDocument | undefined, DecodeError> {
  const object = parseConfigMap(json);
  if (!object.ok) return object;
  const { name, data } = object.value;
  const text = data.get(TUNNELS_FILE);
  if (!name.startsWith(CONNECTOR_CONFIG)) return ok(undefined);
  if (text === undefined) return fail({ at: `data.${TUNNELS_FILE}`, why: "missing" });
  return parseConnectorText(name, text);
}

/** @param name the ConfigMap's */
export function parseConnectorText(name: string, text: string): Result<ConnectorDocument | undefined, DecodeError> {
  if (name === CONNECTOR_CONFIG) {
    const config = parseNodeConfig(text);
    return config.ok ? ok({ kind: "config", config: config.value, text }) : within(config.error);
  }
  const shard = shardNumber(name);
  if (shard === undefined) return ok(undefined);
  const peers = parsePeerShard(text);
  return peers.ok ? ok({ kind: "peers", shard, peers: peers.value, text }) : within(peers.error);
}

/** "connector-config-07". */
export function shardName(config: string, shard: number): string {
  return `${config}-${String(shard).padStart(2, "0")}`;
}

/**
 * Puts the configuration together. A document that is not there yet holds up the whole: peers that are missing must not
 * look like peers that are gone.
 *
 * @returns undefined: not all of it is there
 */
export function joinConnectorConfig(documents: Iterable<ConnectorDocument>): NodeConfig | undefined {
  let config: NodeConfig | undefined;
  const shards = new Map<number, readonly TunnelEndpoint[]>();
  for (const document of documents) {
    if (document.kind === "config") config = document.config;
    else shards.set(document.shard, document.peers);
  }
  if (config === undefined || config.peerShards === 0) return config;
  const peers = [...config.peers];
  for (let shard = 0; shard < config.peerShards; shard++) {
    const more = shards.get(shard);
    if (more === undefined) return undefined;
    peers.push(...more);
  }
  return { ...config, peers };
}

function shardNumber(name: string): number | undefined {
  const [, digits] = /^-(\d{2,3})$/.exec(name.slice(CONNECTOR_CONFIG.length)) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function within(error: DecodeError): Result<never, DecodeError> {
  return fail({ at: `${TUNNELS_FILE}: ${error.at}`, why: error.why });
}
