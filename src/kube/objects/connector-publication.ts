import { parseIp, parsePrefix } from "../../base/ip.ts";
import type { DecodeError, Result } from "../../base/result.ts";
import {
  CLAIM_MAX,
  type ConnectorPublication,
  type EdgeClaim,
  PUBLICATION_VERSION,
} from "../../network/connector-claims.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { parseJsonText } from "../object-reader.ts";
import { DATA_BYTES_MAX, parseConfigMap } from "./config-map.ts";
import { NAME_LENGTH_MAX } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";
import { ENDPOINT_NAME_MAX } from "./tunnel-endpoint.ts";

/** On the ConfigMaps of connectors; its value is the node's name where that is short enough for a label. */
export const CONNECTOR_LABEL = "fabedge.io/connector";
export const PUBLICATION_KEY = "edges.json";
const PUBLICATION_PREFIX = "fabedge-connector-";
/** Each takes a hundred bytes of the ConfigMap that they share. */
const PUBLISHED_EDGES_MAX = 10_000;
/** Pods' prefixes of one node: Calico gives a node a block of 64 addresses at a time. */
export const NODE_PREFIXES_MAX = 1024;
/** Of one edge: a prefix or a few in each family. */
const EDGE_PREFIXES_MAX = 64;

/** The ConfigMap's name. */
export function publicationName(node: string): string {
  return PUBLICATION_PREFIX + node;
}

/** Reads a connector's ConfigMap; undefined when it is of another kind. */
export function parsePublication(json: unknown): Result<ConnectorPublication | undefined, DecodeError> {
  const configMap = parseConfigMap(json);
  if (!configMap.ok) return configMap;
  const { name, data } = configMap.value;
  if (!name.startsWith(PUBLICATION_PREFIX)) return { ok: true, value: undefined };
  return parsePublicationText(data.get(PUBLICATION_KEY) ?? "", name.slice(PUBLICATION_PREFIX.length));
}

/** @param of the node that the ConfigMap's name tells: nobody speaks for another */
export function parsePublicationText(text: string, of: string): Result<ConnectorPublication, DecodeError> {
  const json = text.length > DATA_BYTES_MAX ? undefined : parseJsonText(text);
  return parseJson(json, (document) => {
    if (document.absent) document.refuse("not JSON");
    const version = document.field("version").integer(0, Number.MAX_SAFE_INTEGER);
    if (version !== PUBLICATION_VERSION) document.field("version").refuse(`not ${PUBLICATION_VERSION}`);
    const node = document.field("node").string(NAME_LENGTH_MAX);
    if (node !== of) document.field("node").refuse("not the node of this ConfigMap");
    const edges = document.field("edges").list(PUBLISHED_EDGES_MAX, readClaim);
    if (new Set(edges.map(({ name }) => name)).size < edges.length) document.field("edges").refuse("a name twice");
    return {
      node,
      address: document.field("address").parsed(ADDRESS_LENGTH_MAX, parseIp),
      prefixes: readPrefixes(document.field("prefixes"), NODE_PREFIXES_MAX),
      edges,
    };
  });
}

function readClaim(edge: JsonView): EdgeClaim {
  const name = edge.field("name").string(ENDPOINT_NAME_MAX);
  return {
    name: name === "" ? edge.field("name").refuse("empty") : name,
    claim: edge.field("claim").integer(1, CLAIM_MAX),
    subnets: readPrefixes(edge.field("subnets"), EDGE_PREFIXES_MAX),
    nodeSubnets: edge
      .field("nodeSubnets")
      .list(EDGE_PREFIXES_MAX, (address) => address.parsed(ADDRESS_LENGTH_MAX, parseIp)),
  };
}

function readPrefixes(view: JsonView, most: number) {
  return view.list(most, (prefix) => prefix.parsed(ADDRESS_LENGTH_MAX, parsePrefix));
}
