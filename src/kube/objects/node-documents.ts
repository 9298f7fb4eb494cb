import { type DecodeError, fail, ok, type Result } from "../../base/result.ts";
import { SecretText } from "../../base/secret-text.ts";
import type { CertificateTexts } from "../../network/fabric-identity.ts";
import type { NodeConfig } from "../../network/node-config.ts";
import { parseConfigMap } from "./config-map.ts";
import { parseNodeConfig } from "./node-config.ts";
import { parseSecret } from "./secret.ts";

/** FabEdge's names for the files of its ConfigMaps and Secrets. */
export const TUNNELS_FILE = "tunnels.yaml";
export const CREDENTIAL_FILES = ["tls.crt", "tls.key", "ca.crt"] as const;

/** A node's `fabedge-agent-config-<node>`. Peers stand in further documents for connectors alone. */
export function parseTunnelsConfigMap(json: unknown): Result<NodeConfig, DecodeError> {
  const object = parseConfigMap(json);
  if (!object.ok) return object;
  const text = object.value.data.get(TUNNELS_FILE);
  if (text === undefined) return fail({ at: `data.${TUNNELS_FILE}`, why: "missing" });
  const config = parseNodeConfig(text);
  if (!config.ok) return fail({ at: `${TUNNELS_FILE}: ${config.error.at}`, why: config.error.why });
  const { peerShards } = config.value;
  if (peerShards > 0) return fail({ at: `${TUNNELS_FILE}: peerShards`, why: `${peerShards}, as only connectors have` });
  return config;
}

/** A node's `fabedge-agent-tls-<node>`. Its key is empty where the node has made its own. */
export function parseCredentialSecret(json: unknown): Result<CertificateTexts, DecodeError> {
  const object = parseSecret(json);
  if (!object.ok) return object;
  const text = (file: (typeof CREDENTIAL_FILES)[number]) => new TextDecoder().decode(object.value.data.get(file));
  const key = text("tls.key");
  return ok({
    certificates: text("tls.crt"),
    key: key.trim() === "" ? undefined : new SecretText(key),
    authorities: text("ca.crt"),
  });
}
