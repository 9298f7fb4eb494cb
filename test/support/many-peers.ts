import { makePrefix, parseIp } from "../../src/base/ip.ts";
import { SystemClock } from "../../src/linux/system-clock.ts";
import type { TunnelConnection } from "../../src/network/tunnel-connection.ts";
import { ANSWER_PARTS, CharonCommands } from "../../src/strongswan/charon-commands.ts";
import { ViciSession } from "../../src/strongswan/vici-session.ts";
import type { CharonNode, CharonWorld } from "./charon-world.ts";

/**
 * As many peers as one likes in one charon: each with an identity, a key and networks of its own, all behind one address.
 * The n-th has pods in 10.200.n.0/24, beyond 255 in 10.201 and so on.
 */
export async function loadPeers(
  world: CharonWorld,
  hub: CharonNode,
  edge: CharonNode,
  count: number,
): Promise<readonly TunnelConnection[]> {
  const bases = Array.from({ length: count }, (_, i) => `10.${200 + (i >> 8)}.${i & 255}`);
  // So many at once overflow the socket by which charon hears of addresses, and it then does not know the rest.
  await hub.charon.stop();
  await hub.host.ip(...bases.map((base) => `address add ${base}.1/32 dev lo`));
  await hub.charon.start();
  const session = await ViciSession.open(hub.charon.socket, new SystemClock(), () => {});
  for (const part of ANSWER_PARTS) await session.subscribe(part);
  const commands = new CharonCommands(session);
  await commands.loadAuthority("selvedge-peers", world.certificates.authority);
  const connections: TunnelConnection[] = [];
  for (const [i, base] of bases.entries()) {
    const certificate = world.certificates.issue(`paris.p${i}`);
    await commands.loadKey(certificate.privateKey);
    const name = `paris.p${i}`;
    const [local, remote] = [edge.endpoint.subnets, [network(`${base}.0`, 24)]];
    const shape = { localPort: undefined, remotePort: undefined, peerBegins: true, dpd: true };
    // At the hub a connection is named after its own end: they have the same peer, all of them.
    const mirrored = {
      ...shape,
      name: `hub-${i}`,
      localId: certificate.id,
      remoteId: edge.certificate.id,
      remoteAddresses: [],
    };
    const child = { name: `hub-${i}-p2p`, local: remote, remote: local };
    await commands.loadConnection({ ...mirrored, children: [child] }, [certificate.certificate]);
    connections.push({
      ...shape,
      name,
      localId: edge.certificate.id,
      remoteId: certificate.id,
      remoteAddresses: hub.endpoint.publicAddresses,
      children: [{ name: `${name}-p2p`, local, remote }],
    });
  }
  session.close();
  return connections;
}

function network(address: string, length: number) {
  const ip = parseIp(address);
  if (!ip.ok) throw new Error(ip.error.why);
  return makePrefix(ip.value, length);
}
