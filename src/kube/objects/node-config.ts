import { type DecodeError, fail, ok, type Result } from "../../base/result.ts";
import type { NodeConfig } from "../../network/node-config.ts";
import type { TunnelEndpoint } from "../../network/tunnel-endpoint.ts";
import { type JsonView, parseJson } from "../json-view.ts";
import { DATA_BYTES_MAX } from "./config-map.ts";
import { readTunnelEndpoint } from "./tunnel-endpoint.ts";

/** Each peer takes a hundred bytes at least. */
const PEERS_MAX = 10_000;
const PEER_SHARDS_MAX = 256;

/** Reads tunnels.yaml. */
export function parseNodeConfig(text: string): Result<NodeConfig, DecodeError> {
  return parseYaml(text, (document) => {
    const mediator = document.field("mediator");
    return {
      endpoint: readTunnelEndpoint(document),
      peers: readPeers(document),
      mediator: mediator.absent ? undefined : readTunnelEndpoint(mediator),
      peerShards: document.field("peerShards").optionalInteger(0, PEER_SHARDS_MAX) ?? 0,
    };
  });
}

/** Reads one of the documents with further peers. */
export function parsePeerShard(text: string): Result<readonly TunnelEndpoint[], DecodeError> {
  return parseYaml(text, readPeers);
}

function readPeers(document: JsonView): readonly TunnelEndpoint[] {
  return document.field("peers").list(PEERS_MAX, readTunnelEndpoint);
}

function parseYaml<T>(text: string, read: (view: JsonView) => T): Result<T, DecodeError> {
  if (text.length > DATA_BYTES_MAX) {
    return fail({ at: "", why: `longer than ${DATA_BYTES_MAX} characters: ${text.length}` });
  }
  const document = parseText(text);
  return document.ok ? parseJson(document.value, read) : document;
}

function parseText(text: string): Result<unknown, DecodeError> {
  try {
    return ok(Bun.YAML.parse(text));
  } catch (error) {
    return fail({ at: "", why: `not YAML: ${error instanceof Error ? error.message : String(error)}` });
  }
}
