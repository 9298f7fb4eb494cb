import { type Ip, ipFamily, parseIp, parsePrefix } from "../../base/ip.ts";
import { type DecodeError, fail, type Result } from "../../base/result.ts";
import { parsePublicAddress } from "../../network/public-address.ts";
import { ENDPOINT_TYPES, type TunnelEndpoint } from "../../network/tunnel-endpoint.ts";
import type { JsonView } from "../json-view.ts";
import { NAME_LENGTH_MAX } from "./metadata.ts";
import { ADDRESS_LENGTH_MAX } from "./service.ts";

/** An edge node has its addresses, or the few that its owner wrote; a connector one for each of a pool. */
export const ENDPOINT_ADDRESSES_MAX = 64;
/** A connector names the pods' prefix of every cloud node, in each family. */
export const ENDPOINT_SUBNETS_MAX = 20_000;
/** "cluster.node", each of them a name. */
export const ENDPOINT_NAME_MAX = 2 * NAME_LENGTH_MAX + 1;
/** The format of identities is text around the name. */
export const ENDPOINT_ID_MAX = ENDPOINT_NAME_MAX + 512;
const PORT_MAX = 65_535;

/** FabEdge's Endpoint, as in a Cluster and in tunnels.yaml. */
export function readTunnelEndpoint(view: JsonView): TunnelEndpoint {
  const type = view.field("type").optionalString(NAME_LENGTH_MAX);
  const port = view.field("port").optionalInteger(0, PORT_MAX);
  return {
    id: singleLine(view.field("id"), view.field("id").optionalString(ENDPOINT_ID_MAX) ?? ""),
    name: singleLine(
      view.field("name"),
      view.field("name").string(ENDPOINT_NAME_MAX) || view.field("name").refuse("empty"),
    ),
    publicAddresses: view
      .field("publicAddresses")
      .list(ENDPOINT_ADDRESSES_MAX, (address) => address.parsed(NAME_LENGTH_MAX, parsePublicAddress)),
    port: port === 0 ? undefined : port,
    subnets: view
      .field("subnets")
      .list(ENDPOINT_SUBNETS_MAX, (subnet) => subnet.parsed(ADDRESS_LENGTH_MAX, parsePrefix)),
    nodeSubnets: view
      .field("nodeSubnets")
      .list(ENDPOINT_SUBNETS_MAX, (address) => address.parsed(ADDRESS_LENGTH_MAX, parseNodeSubnet)),
    // FabEdge writes two words here and accepts any.
    type: ENDPOINT_TYPES.find((known) => known === type),
  };
}

/** Bare, or with the length that means one address. */
function parseNodeSubnet(text: string): Result<Ip, DecodeError> {
  const [address = "", length] = text.split("/");
  const ip = parseIp(address);
  if (!ip.ok || length === undefined) return ip;
  const whole = ipFamily(ip.value) === 4 ? "32" : "128";
  return length === whole ? ip : fail({ at: text.slice(0, ADDRESS_LENGTH_MAX), why: "not one node's address" });
}

function singleLine(view: JsonView, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text) ? view.refuse("more than one line") : text;
}
