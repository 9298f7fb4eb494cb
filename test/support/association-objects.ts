import { type Duration, seconds } from "../../src/base/duration.ts";
import type { Ip } from "../../src/base/ip.ts";
import { parsePrefix } from "../../src/base/ip.ts";
import type { TunnelConnection } from "../../src/network/tunnel-connection.ts";
import type { ChildAssociation, IkeAssociation } from "../../src/strongswan/security-association.ts";

export const PEER = "paris.e2";
const [OWN_ID, PEER_ID] = ["C=CN, O=fabedge.io, CN=paris.e1", "C=CN, O=fabedge.io, CN=paris.e2"];

function prefixes(...texts: readonly string[]) {
  return texts.map((text) => {
    const prefix = parsePrefix(text);
    if (!prefix.ok) throw new Error(prefix.error.why);
    return prefix.value;
  });
}

/** paris.e1's connection to paris.e2, with all three children. */
export function tunnelConnection(over: Partial<TunnelConnection> = {}): TunnelConnection {
  const name = over.name ?? PEER;
  return {
    name,
    localId: OWN_ID,
    remoteId: PEER_ID,
    remoteAddresses: ["192.168.1.2"],
    localPort: undefined,
    remotePort: undefined,
    children: [
      { name: `${name}-p2p`, local: prefixes("10.1.0.0/24"), remote: prefixes("10.2.0.0/24") },
      { name: `${name}-n2p`, local: prefixes("192.168.1.1/32"), remote: prefixes("10.2.0.0/24") },
      { name: `${name}-p2n`, local: prefixes("10.1.0.0/24"), remote: prefixes("192.168.1.2/32") },
    ],
    peerBegins: true,
    dpd: true,
    ...over,
  };
}

/** An established IKE_SA of that connection, with the children that are named by their kinds. */
export function ikeAssociation(
  uniqueId: number,
  kinds: readonly ("p2p" | "n2p" | "p2n")[],
  over: Partial<IkeAssociation> = {},
): IkeAssociation {
  const name = over.name ?? PEER;
  return {
    name,
    uniqueId,
    state: "ESTABLISHED",
    initiator: true,
    initiatorSpi: "00000000000000a1",
    responderSpi: "00000000000000b1",
    localId: OWN_ID,
    remoteId: PEER_ID,
    localHost: "192.168.1.1" as Ip,
    localPort: 4500,
    remoteHost: "192.168.1.2" as Ip,
    remotePort: 4500,
    natAny: false,
    natLocal: false,
    natRemote: false,
    proposal: "AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519",
    age: seconds(10),
    rekeyIn: seconds(14_000),
    tasks: [],
    children: kinds.map((kind, i) => childAssociation(10 * uniqueId + i, kind, { name: `${name}-${kind}` })),
    ...over,
  };
}

export function childAssociation(
  uniqueId: number,
  kind: "p2p" | "n2p" | "p2n",
  over: Partial<ChildAssociation> = {},
): ChildAssociation {
  return {
    name: `${PEER}-${kind}`,
    uniqueId,
    state: "INSTALLED",
    mode: "TUNNEL",
    encapsulated: false,
    proposal: "AES_GCM_16-128",
    encryption: "AES_GCM_16",
    integrity: undefined,
    spiIn: uniqueId.toString(16),
    spiOut: uniqueId.toString(16),
    localSelectors: [kind === "n2p" ? "192.168.1.1/32" : "10.1.0.0/24"],
    remoteSelectors: [kind === "p2n" ? "192.168.1.2/32" : "10.2.0.0/24"],
    bytesIn: 0,
    packetsIn: 0,
    bytesOut: 0,
    packetsOut: 0,
    idleIn: undefined,
    idleOut: undefined,
    age: 10_000 as Duration,
    rekeyIn: undefined,
    expiresIn: undefined,
    ...over,
  };
}
