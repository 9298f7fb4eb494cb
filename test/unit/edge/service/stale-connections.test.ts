import { describe, expect, test } from "bun:test";
import type { Frontend } from "../../../../edge/service/frontend.ts";
import { familiesOfUdp, planStaleConnections } from "../../../../edge/service/stale-connections.ts";
import type { ConntrackEntry } from "../../../../src/wire/conntrack.ts";
import { ip } from "../../../support/network-objects.ts";
import { makeBackend, makeFrontend } from "../../../support/service-frontends.ts";

/** A client asked `to` and is answered by `from`: "address port" each. */
function entry(to: string, from: string, answered = true): ConntrackEntry {
  const [destination = "", destinationPort] = to.split(" ");
  const [source = "", sourcePort] = from.split(" ");
  const client = ip("192.0.2.9");
  return {
    family: 4,
    protocol: 17,
    original: {
      source: client,
      sourcePort: 5000,
      destination: ip(destination),
      destinationPort: Number(destinationPort),
    },
    reply: { source: ip(source), sourcePort: Number(sourcePort), destination: client, destinationPort: 5000 },
    answered,
    id: 1,
    zone: 0,
  };
}

const [ONE, TWO] = [makeBackend("10.1.0.1"), makeBackend("10.1.0.2")];
const udp = (over: Partial<Frontend> = {}) => makeFrontend({ protocol: "UDP", port: 53, backends: [ONE], ...over });
const nodePort = udp({ kind: "node-port", address: undefined, port: 30053 });

describe("a UDP connection is ended", () => {
  test.each([
    ["when its endpoint is gone", udp(), "10.96.0.1 53", "10.1.0.2 8080", true],
    ["when its endpoint has another port now", udp(), "10.96.0.1 53", "10.1.0.1 9999", true],
    ["when nobody translated it and there is an endpoint now", udp(), "10.96.0.1 53", "10.96.0.1 53", true],
    ["when the service is gone", udp({ backends: [] }), "10.96.0.1 53", "10.1.0.1 8080", true],
    ["not while its endpoint is there", udp(), "10.96.0.1 53", "10.1.0.1 8080", false],
    [
      "not while its endpoint is there for callers from outside",
      udp({ externalBackends: [TWO] }),
      "10.96.0.1 53",
      "10.1.0.2 8080",
      false,
    ],
    [
      "not while its endpoint serves, though new callers go elsewhere",
      udp({ serving: [ONE, TWO] }),
      "10.96.0.1 53",
      "10.1.0.2 8080",
      false,
    ],
    ["not when nobody translated it and nobody would", udp({ backends: [] }), "10.96.0.1 53", "10.96.0.1 53", false],
    ["not when it is to another port", udp(), "10.96.0.1 54", "10.1.0.2 8080", false],
    ["not when it is to another address", udp(), "10.96.0.2 53", "10.1.0.2 8080", false],
  ] as const)("%s", (_, frontend, to, from, ended) => {
    const entries = [entry(to, from)];
    expect(planStaleConnections(entries, [frontend], [])).toEqual(ended ? entries : []);
  });

  test("on a node port when nobody has answered it and there is an endpoint now", () => {
    const early = entry("192.168.1.1 30053", "192.168.1.1 30053", false);
    const others = [entry("192.168.1.1 30053", "192.168.1.1 30053"), entry("192.168.1.1 53", "192.168.1.1 53", false)];
    const translated = entry("192.168.1.1 30053", "10.1.0.1 8080", false);
    expect(planStaleConnections([early, ...others, translated], [nodePort], [])).toEqual([early]);
    expect(planStaleConnections([early], [{ ...nodePort, backends: [] }], [])).toEqual([]);
  });

  test("on a node port otherwise only when it goes to an endpoint that has vanished from that node port", () => {
    const vanished = [{ frontend: nodePort, backend: TWO }];
    const gone = entry("192.168.1.1 30053", "10.1.0.2 8080");
    const others = [entry("192.168.1.1 30053", "192.168.1.1 30053"), entry("192.168.1.1 53", "10.1.0.2 8080")];
    expect(planStaleConnections([gone, ...others], [nodePort], vanished)).toEqual([gone]);
    expect(planStaleConnections([gone, ...others], [{ ...nodePort, serving: [ONE, TWO] }], vanished)).toEqual([]);
  });
});

test("only families with UDP frontends are looked at", () => {
  const vanished = [{ frontend: udp({ family: 6, address: ip("fd10::1") }), backend: makeBackend("fd00::1") }];
  expect(familiesOfUdp([makeFrontend()], [])).toEqual(new Set());
  expect(familiesOfUdp([udp()], [])).toEqual(new Set([4]));
  expect(familiesOfUdp([makeFrontend()], vanished)).toEqual(new Set([6]));
});
