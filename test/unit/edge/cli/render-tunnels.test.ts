import { describe, expect, test } from "bun:test";
import { formatPeers, formatTunnel, formatTunnels } from "../../../../edge/cli/render-tunnels.ts";
import { coloured, plain } from "../../../../src/cli/table.ts";
import { peerOf } from "../../../../src/network/tunnel-report.ts";
import { DOWN, UP } from "../../../support/tunnel-reports.ts";

describe("tunnels", () => {
  test("are a line each, and why not below them", () => {
    expect(formatTunnels([UP, DOWN], false, plain)).toBe(`\
PEER              STATE    REMOTE              UP     CHILDREN   IN          OUT       LAST IN   LATENCY
paris.connector   up       198.51.100.2:4500   1h4m   n2p,p2p    120.6 KiB   2.0 MiB   2s        12.3 ms
paris.e2          queued   fd00::8             -      -          0 B         0 B       -         -

TUNNEL_UNANSWERED   Cannot reach paris.e2 through its tunnel: giving up after 6 retransmits
   See that the peer runs.
`);
  });

  test("are wide with role, addresses, NAT, rekeying and ciphers", () => {
    const lines = formatTunnels([UP, DOWN], true, plain).split("\n");
    expect(lines[0]).toEndWith("ROLE        LOCAL              NAT        REKEY   TYPE        CIPHERS");
    expect(lines[1]).toEndWith(
      "initiator   192.168.9.7:4500   NAT here   2h30m   Connector   AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519 AES_GCM_16-128",
    );
  });

  test("have colours on terminals", () => {
    expect(formatTunnels([UP], false, coloured)).toContain("\x1b[32mup\x1b[0m");
    expect(formatTunnels([{ ...DOWN, state: "down" }], false, coloured)).toContain("\x1b[31mdown\x1b[0m");
  });
});

describe("one tunnel", () => {
  test("is all that charon knows of it", () => {
    expect(formatTunnel(UP, plain)).toBe(`\
paris.connector   Connector   up since 2026-11-21T04:58:00.000Z
  local   C=CN, O=fabedge.io, CN=paris.edge-1
  remote  C=CN, O=fabedge.io, CN=paris.connector
  at      198.51.100.1, 198.51.100.2
  IKE #3, ESTABLISHED, IKEv2, initiator, 0123456789abcdef_i fedcba9876543210_r
    192.168.9.7:4500 to 198.51.100.2:4500, NAT here
    AES_CBC-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519
    established 1h4m ago, rekeying in 2h30m
  paris.connector-n2p #5, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-128
    installed 10m0s ago, rekeying in 45m0s, expires in 56m0s
    in  c7aa1c5e, 0 bytes, 0 packets
    out c2d1f00b, 1048576 bytes, 1024 packets, 1s ago
    local  10.1.7.0/24
    remote 10.96.0.0/12 10.1.0.0/24
  paris.connector-p2p #4, INSTALLED, TUNNEL-in-UDP, ESP:AES_GCM_16-128
    installed 10m0s ago, rekeying in 45m0s, expires in 56m0s
    in  c7aa1c5e, 123456 bytes, 321 packets, 2s ago
    out c2d1f00b, 1048576 bytes, 1024 packets, 1s ago
    local  10.1.7.0/24
    remote 10.96.0.0/12 10.1.0.0/24
`);
  });

  test("that is down says why, and where it was looked for", () => {
    expect(formatTunnel({ ...DOWN, addresses: [] }, plain)).toBe(`\
paris.e2   EdgeNode   queued
  TUNNEL_UNANSWERED: Cannot reach paris.e2 through its tunnel: giving up after 6 retransmits
  See that the peer runs.
  local   C=CN, O=fabedge.io, CN=paris.edge-1
  remote  C=CN, O=fabedge.io, CN=paris.e2
  at      no address: it has to come
`);
  });

  test("has a peer's words made harmless", () => {
    const trouble = { code: "TUNNEL_FAILED", message: "charon says \x1b]0;owned\x07", hint: "" };
    const text = formatTunnel({ ...DOWN, remoteId: "CN=\x1b[2Jevil", trouble }, plain);
    expect(text).toContain("\\x1b]0;owned\\x07");
    expect(text).not.toContain("\x1b");
  });
});

test("peers are a line each, with subnets when wide", () => {
  const peers = [UP, DOWN].map(peerOf);
  expect(formatPeers(peers, false, plain)).toBe(`\
PEER              TYPE        PATH    VIA            LATENCY
paris.connector   Connector   ipsec   198.51.100.2   12.3 ms
paris.e2          EdgeNode    down    -              -

TUNNEL_UNANSWERED   Cannot reach paris.e2 through its tunnel: giving up after 6 retransmits
   See that the peer runs.
`);
  expect(formatPeers(peers, true, plain)).toContain("10.96.0.0/12,10.1.0.0/24   10.0.0.1\n");
});
