import { describe, expect, test } from "bun:test";
import { reportTunnel } from "../../../../edge/status/reported-tunnel.ts";
import type { TunnelFacts } from "../../../../edge/status/tunnel-facts.ts";
import type { MonotonicTime } from "../../../../src/base/clock.ts";
import { milliseconds, seconds } from "../../../../src/base/duration.ts";
import { tunnelState } from "../../../../src/strongswan/tunnel-look.ts";
import { childAssociation, ikeAssociation, tunnelConnection } from "../../../support/association-objects.ts";
import { makeConnectorEndpoint, makeEdgeEndpoint } from "../../../support/tunnel-objects.ts";

const WALL = Date.UTC(2026, 10, 21, 5);
const CONNECTED = { phase: "connected", version: "5.9.8", failure: undefined } as const;
const ALL = ["p2p", "n2p", "p2n"] as const;

function facts(over: Partial<TunnelFacts> = {}): TunnelFacts {
  return {
    own: makeEdgeEndpoint("paris.e1"),
    peer: makeEdgeEndpoint("paris.e2", { publicAddresses: ["192.168.1.2"], subnets: ["10.2.0.0/24"] }),
    hasCredentials: true,
    charon: CONNECTED,
    state: tunnelState(tunnelConnection(), [ikeAssociation(7, ALL)], true, undefined),
    failedFor: undefined,
    latencySeconds: 0.02,
    wall: WALL,
    ...over,
  };
}

/** Down, after charon said so. */
function failed(text: string, over: Partial<TunnelFacts> = {}) {
  const failure = { at: 0 as MonotonicTime, text };
  const state = tunnelState(tunnelConnection(), [], true, failure);
  return reportTunnel(facts({ state, failedFor: seconds(30), ...over }));
}

describe("a tunnel that is up", () => {
  test("is told with the facts of its SAs", () => {
    const child = childAssociation(1, "p2p", { bytesIn: 1000, packetsIn: 9, idleIn: milliseconds(2500) });
    const ike = ikeAssociation(7, [], {
      natLocal: true,
      remotePort: 45_000,
      age: seconds(600),
      children: [childAssociation(3, "p2n"), child, childAssociation(2, "n2p", { encapsulated: true })],
    });
    const report = reportTunnel(facts({ state: tunnelState(tunnelConnection(), [ike], true, undefined) }));
    expect(report).toMatchObject({
      peer: "paris.e2",
      type: "EdgeNode",
      state: "up",
      since: "2026-11-21T04:50:00.000Z",
      trouble: null,
      latencySeconds: 0.02,
      subnets: ["10.2.0.0/24"],
      ike: { uniqueId: 7, role: "initiator", remote: { port: 45_000 }, nat: { local: true, remote: false } },
    });
    expect(
      report.children.map(({ name, encapsulated, bytesIn, packetsIn, lastInSeconds }) => [
        name,
        encapsulated,
        bytesIn,
        packetsIn,
        lastInSeconds,
      ]),
    ).toEqual([
      ["paris.e2-n2p", true, 0, 0, null],
      ["paris.e2-p2n", false, 0, 0, null],
      ["paris.e2-p2p", false, 1000, 9, 2.5],
    ]);
  });

  test("shows the established one of two IKE_SAs, and the children of both", () => {
    const coming = ikeAssociation(9, [], { state: "CONNECTING", age: undefined });
    const state = tunnelState(tunnelConnection(), [coming, ikeAssociation(7, ALL)], true, undefined);
    const report = reportTunnel(facts({ state }));
    expect(report.ike?.uniqueId).toBe(7);
    expect(report.children).toHaveLength(3);
  });

  test("is down for all that is known when charon is gone", () => {
    const charon = { phase: "absent", version: undefined, failure: "ENOENT" } as const;
    const report = reportTunnel(facts({ charon }));
    expect(report).toMatchObject({ state: "down", trouble: { code: "CHARON_ABSENT" } });
    expect(report.trouble?.message).toBe("Cannot reach paris.e2 as charon is not there: ENOENT");
    expect(reportTunnel(facts({ charon: { ...charon, phase: "silent" } })).trouble?.code).toBe("CHARON_SILENT");
  });
});

describe("why a tunnel is not up", () => {
  // As charon 5.9.8 writes them.
  test.each([
    ["received AUTHENTICATION_FAILED notify error", "TUNNEL_REFUSED"],
    ["no trusted RSA public key found for 'C=CN, O=fabedge.io, CN=paris.e2'", "TUNNEL_UNTRUSTED"],
    ['no issuer certificate found for "C=CN, O=fabedge.io, CN=paris.e2"', "TUNNEL_UNTRUSTED"],
    ["subject certificate invalid (valid from Nov 21 05:00:00 2026 to Nov 22 05:00:00 2026)", "TUNNEL_UNTRUSTED"],
    ["no private key found for 'C=CN, O=fabedge.io, CN=paris.e1'", "TUNNEL_UNTRUSTED"],
    ["received NO_PROPOSAL_CHOSEN notify error", "TUNNEL_PROPOSALS"],
    ["received TS_UNACCEPTABLE notify, no CHILD_SA built", "TUNNEL_SELECTORS"],
    ["unable to resolve e2.example.org, retrying", "TUNNEL_ADDRESS_UNKNOWN"],
    ["giving up after 6 retransmits", "TUNNEL_UNANSWERED"],
    ["something else is not supported", "TUNNEL_FAILED"],
  ])("%s", (text, code) => {
    const report = failed(text);
    expect(report).toMatchObject({ state: "queued", since: "2026-11-21T04:59:30.000Z", ike: null, children: [] });
    expect(report.trouble).toMatchObject({ code, message: `Cannot reach paris.e2 through its tunnel: ${text}` });
    expect(report.trouble?.hint).not.toBe("");
  });

  test("without credentials it is those, whatever charon says", () => {
    expect(failed("giving up after 6 retransmits", { hasCredentials: false }).trouble?.code).toBe(
      "CREDENTIALS_MISSING",
    );
  });

  test("some children are missing", () => {
    const state = tunnelState(tunnelConnection(), [ikeAssociation(7, ["p2p"])], true, undefined);
    expect(reportTunnel(facts({ state }))).toMatchObject({
      state: "partial",
      trouble: {
        code: "TUNNEL_PARTIAL",
        message: "Cannot reach all of paris.e2: paris.e2-n2p, paris.e2-p2n are not installed",
      },
    });
  });

  test("it has just begun, or waits for its turn or for the peer", () => {
    const begun = ikeAssociation(7, [], { state: "CONNECTING", age: undefined });
    const codes = [
      tunnelState(tunnelConnection(), [begun], true, undefined),
      tunnelState(tunnelConnection(), [], true, undefined),
      tunnelState(tunnelConnection({ remoteAddresses: [] }), [], true, undefined),
      undefined,
    ].map((state) => {
      const { state: reported, trouble } = reportTunnel(
        facts({ state, peer: makeConnectorEndpoint("paris.connector") }),
      );
      return [reported, trouble?.code];
    });
    expect(codes).toEqual([
      ["connecting", "TUNNEL_STARTING"],
      ["queued", "TUNNEL_STARTING"],
      ["waiting", "TUNNEL_WAITING"],
      ["down", "TUNNEL_STARTING"],
    ]);
  });
});
