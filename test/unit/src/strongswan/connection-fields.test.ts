import { expect, test } from "bun:test";
import { connectionFields } from "../../../../src/strongswan/connection-fields.ts";
import { tunnelConnection } from "../../../support/association-objects.ts";

/** FabEdge 1.0's own: what it loads for a peer. */
test("a connection has FabEdge's words, a wider replay window, takes the peer from any address, and has nothing of what charon decides better", () => {
  expect(connectionFields(tunnelConnection(), ["PEM"])).toEqual({
    "paris.e2": {
      version: 2,
      remote_addrs: ["192.168.1.2", "0.0.0.0/0", "::/0"],
      local_port: undefined,
      remote_port: undefined,
      dpd_delay: 10,
      local: { auth: "pubkey", id: "C=CN, O=fabedge.io, CN=paris.e1", certs: ["PEM"] },
      remote: { auth: "pubkey", id: "C=CN, O=fabedge.io, CN=paris.e2" },
      children: {
        "paris.e2-p2p": {
          mode: "tunnel",
          local_ts: ["10.1.0.0/24"],
          remote_ts: ["10.2.0.0/24"],
          replay_window: 1024,
          rekey_time: 3600,
          start_action: "none",
          dpd_action: "clear",
          close_action: "none",
        },
        "paris.e2-n2p": expect.objectContaining({ local_ts: ["192.168.1.1/32"], remote_ts: ["10.2.0.0/24"] }),
        "paris.e2-p2n": expect.objectContaining({ local_ts: ["10.1.0.0/24"], remote_ts: ["192.168.1.2/32"] }),
      },
    },
  });
});

test("a peer that is waited for has no address, one at another port has both ports", () => {
  const waiting = connectionFields(tunnelConnection({ remoteAddresses: [] }), [])["paris.e2"];
  expect(waiting).not.toHaveProperty("remote_addrs");
  const other = connectionFields(tunnelConnection({ localPort: 4500, remotePort: 45_000, dpd: false }), [])["paris.e2"];
  expect(other).toMatchObject({ local_port: 4500, remote_port: 45_000, dpd_delay: undefined });
});
