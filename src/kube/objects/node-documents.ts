import { type DecodeError, fail, ok, type Result } from "../../base/result.ts";
import { SecretText } from "../../base/secret-text.ts";
import type { CertificateTexts } from "../../network/fabric-identity.ts";
import type { NodeDocument } from "../../network/node-config.ts";
import { parseJson } from "../json-view.ts";
import { DATA_BYTES_MAX } from "./config-map.ts";
import { parseNodeConfig } from "./node-config.ts";
import { readSecretBytes } from "./secret.ts";

/** FabEdge's names for the files of its ConfigMaps and Secrets. */
export const TUNNELS_FILE = "tunnels.yaml";
export const SETTINGS_FILE = "config.yaml";
export const CREDENTIAL_FILES = ["tls.crt", "tls.key", "ca.crt"] as const;

/** A node's `fabedge-agent-config-<node>`. Peers stand in further documents for connectors alone. */
export function parseNodeConfigMap(json: unknown): Result<NodeDocument, DecodeError> {
  const texts = parseJson(json, (object) => {
    const data = object.field("data");
    return {
      tunnels: data.field(TUNNELS_FILE).string(DATA_BYTES_MAX),
      settings: data.field(SETTINGS_FILE).optionalString(DATA_BYTES_MAX),
    };
  });
  if (!texts.ok) return texts;
  const { tunnels, settings } = texts.value;
  const config = parseNodeConfig(tunnels);
  if (!config.ok) return fail({ at: `${TUNNELS_FILE}: ${config.error.at}`, why: config.error.why });
  const { peerShards } = config.value;
  if (peerShards > 0) return fail({ at: `${TUNNELS_FILE}: peerShards`, why: `${peerShards}, as only connectors have` });
  return ok({ config: config.value, settings });
}

/** A node's `fabedge-agent-tls-<node>`. Its key is empty where the node has made its own. */
export function parseCredentialSecret(json: unknown): Result<CertificateTexts, DecodeError> {
  return parseJson(json, (object) => {
    const text = (file: (typeof CREDENTIAL_FILES)[number]) =>
      new TextDecoder().decode(readSecretBytes(object.field("data").field(file)));
    const key = text("tls.key");
    return {
      certificates: text("tls.crt"),
      key: key.trim() === "" ? undefined : new SecretText(key),
      authorities: text("ca.crt"),
    };
  });
}
