import { formatPrefix } from "../base/ip.ts";
import type { NodeConfig } from "./node-config.ts";
import { IKE_PORT, type TunnelEndpoint } from "./tunnel-endpoint.ts";

/** Letters first and nothing that YAML gives a meaning to: ": ", " #", a last ":". */
const PLAIN = /^[A-Za-z][A-Za-z0-9._/-]*(?:[ =,]+[A-Za-z0-9._/=-]+)*$/;
/** YAML 1.1's other spellings of booleans and null, and what YAML 1.2 keeps of them. */
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null)$/i;
const IPV4 = /^\d+\.\d+\.\d+\.\d+(?:\/\d+)?$/;

/** An endpoint as an item of `peers`, to be kept by whoever puts it into many documents. */
export function formatPeer(endpoint: TunnelEndpoint): string {
  return formatEndpoint(endpoint, "    ").replace("    ", "  - ");
}

/** @param peers as {@link formatPeer} gives them */
export function formatPeers(peers: readonly string[]): string {
  return peers.length === 0 ? "peers: []\n" : `peers:\n${peers.join("")}`;
}

/** FabEdge's tunnels.yaml. Two configurations are equal exactly when their texts are. */
export function formatNodeConfig(config: NodeConfig, peers: readonly string[] = config.peers.map(formatPeer)): string {
  const { endpoint, mediator, peerShards } = config;
  return [
    formatEndpoint(endpoint, ""),
    formatPeers(peers),
    mediator === undefined ? "" : `mediator:\n${formatEndpoint(mediator, "  ")}`,
    peerShards === 0 ? "" : `peerShards: ${peerShards}\n`,
  ].join("");
}

/** Empty fields are left out. */
function formatEndpoint(endpoint: TunnelEndpoint, indent: string): string {
  const { id, name, publicAddresses, subnets, nodeSubnets, type, port } = endpoint;
  const text = (key: string, value: string) => (value === "" ? "" : `${indent}${key}: ${formatText(value)}\n`);
  const list = (key: string, values: readonly string[]) =>
    values.length === 0
      ? ""
      : `${indent}${key}:\n${values.map((value) => `${indent}  - ${formatText(value)}\n`).join("")}`;
  return [
    text("id", id),
    text("name", name),
    list("publicAddresses", publicAddresses),
    list("subnets", subnets.map(formatPrefix)),
    list("nodeSubnets", nodeSubnets),
    text("type", type ?? ""),
    port === undefined || port === IKE_PORT ? "" : `${indent}port: ${port}\n`,
  ].join("");
}

/** JSON's strings are YAML's double-quoted ones. */
function formatText(text: string): string {
  return IPV4.test(text) || (PLAIN.test(text) && !WORDS.test(text)) ? text : JSON.stringify(text);
}
