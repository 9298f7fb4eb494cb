import { formatPrefix } from "../base/ip.ts";
import type { TunnelChild, TunnelConnection } from "../network/tunnel-connection.ts";
import type { ViciFields } from "../wire/vici-message.ts";

/** How long a peer may be silent before it is asked if it lives; FabEdge's value. */
const DPD_DELAY_SECONDS = 10;
/**
 * Packets by which one may come too late (charon: 32, RFC 4303 section 3.4.3 wants 64): queues of several processors, or two
 * lines, let hundreds overtake. More would keep charon from moving an SA to another address (strongSwan issue 1967): its
 * request to the kernel has 1024 bytes, and the window's bits are in it twice. Charon's own ESP has 128 whatever is said.
 */
const REPLAY_WINDOW = 1024;

/**
 * Charon takes a connection only for packets from `remote_addrs` (swanctl.conf(5)), and begins at the first that is no network.
 * Whoever is behind a router comes from another address than it is known by; what it has to prove is its identity.
 */
const FROM_ANYWHERE = ["0.0.0.0/0", "::/0"];

/**
 * Two ways of saying the same. Charon makes no child beside one of the same name that was made of an equal configuration,
 * also where the peer has narrowed that one, and new keys do not widen it: the configuration has to be another one.
 */
export type ConnectionForm = "one" | "other";

/** Until a child gets new keys: charon's own value, and what is as good. */
const REKEY_SECONDS: Readonly<Record<ConnectionForm, number>> = { one: 3600, other: 3601 };

/**
 * What load-conn takes: the words of swanctl.conf(5). What is not named is charon's own, which is FabEdge's, too: algorithms,
 * rekeying after hours, MOBIKE, one IKE_SA for all children.
 *
 * @param certificates one's own, PEM; the same for every connection
 */
export function connectionFields(
  connection: TunnelConnection,
  certificates: readonly string[],
  form: ConnectionForm = "one",
): ViciFields {
  const { remoteAddresses, localPort, remotePort } = connection;
  return {
    [connection.name]: {
      version: 2,
      ...(remoteAddresses.length === 0 ? {} : { remote_addrs: [...remoteAddresses, ...FROM_ANYWHERE] }),
      local_port: localPort,
      remote_port: remotePort,
      dpd_delay: connection.dpd ? DPD_DELAY_SECONDS : undefined,
      local: { auth: "pubkey", id: connection.localId, certs: certificates },
      remote: { auth: "pubkey", id: connection.remoteId },
      children: Object.fromEntries(connection.children.map((child) => [child.name, childFields(child, form)])),
    },
  };
}

function childFields({ local, remote }: TunnelChild, form: ConnectionForm): ViciFields {
  return {
    mode: "tunnel",
    local_ts: local.map(formatPrefix),
    remote_ts: remote.map(formatPrefix),
    replay_window: REPLAY_WINDOW,
    rekey_time: REKEY_SECONDS[form],
    // Who begins, and when a dead one is begun anew, the keeper decides.
    start_action: "none",
    dpd_action: "clear",
    close_action: "none",
  };
}
