import { type Ip, type Prefix, prefixContains } from "../base/ip.ts";

/** Who counts as inside of a node, besides its loopback: addresses and networks. A plain value, for any thread. */
export interface Inside {
  readonly addresses: readonly Ip[];
  readonly networks: readonly Prefix[];
}

export function isInside({ addresses, networks }: Inside, client: Ip): boolean {
  return (
    client.startsWith("127.") ||
    client === "::1" ||
    addresses.includes(client) ||
    networks.some((network) => prefixContains(network, client))
  );
}
