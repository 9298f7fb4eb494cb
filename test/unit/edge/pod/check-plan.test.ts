import { describe, expect, test } from "bun:test";
import { type ObservedPod, planCheck } from "../../../../edge/pod/check-plan.ts";
import type { CniResult } from "../../../../edge/pod/cni-result.ts";
import { parseNetworkConfig } from "../../../../edge/pod/network-config.ts";
import type { PodLink } from "../../../../src/wire/rtnetlink-pod-link.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const CONFIG = parseNetworkConfig(
  JSON.stringify({
    cniVersion: "1.0.0",
    name: "fabedge",
    bridge: "br-fabedge",
    isDefaultGateway: true,
    hairpinMode: true,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.1.7.0/24" }]] },
    runtimeConfig: {
      bandwidth: { ingressRate: 8_000_000, ingressBurst: 8_000, egressRate: 16_000_000, egressBurst: 8_000 },
    },
  }),
);
const ATTACHMENT = { containerId: "one", ifName: "eth0" };
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const link = (index: number, name: string, over: Partial<PodLink> = {}): PodLink => ({
  index,
  name,
  kind: "veth",
  up: true,
  running: true,
  loopback: false,
  multicast: true,
  mtu: 1400,
  master: undefined,
  bridgeCallsIptables: undefined,
  hardwareAddress: MAC,
  alias: undefined,
  peerIndex: undefined,
  hairpin: undefined,
  ...over,
});
const PREVIOUS: CniResult = {
  interfaces: [
    { name: "br-fabedge", mac: "", sandbox: undefined },
    { name: "veth1", mac: "", sandbox: undefined },
    { name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/run/netns/one" },
  ],
  addresses: [{ interface: 2, address: ip("10.1.7.2"), prefixLength: 24, gateway: ip("10.1.7.1") }],
  // Without a gateway of its own: the one of the address.
  routes: [{ destination: prefix("0.0.0.0/0"), gateway: undefined }],
  dns: {},
};
const address = (linkIndex: number, text: string) => ({
  linkIndex,
  address: ip(text),
  prefixLength: 24,
  scope: "global" as const,
});
const RIGHT: ObservedPod = {
  reserved: [ip("10.1.7.2")],
  bridge: link(7, "br-fabedge", { kind: "bridge" }),
  bridgeAddresses: [address(7, "10.1.7.1")],
  host: link(8, "veth1", { master: 7, hairpin: true }),
  ifb: link(9, "bwp1", { kind: "ifb" }),
  qdiscs: [
    { linkIndex: 8, kind: "tbf", bytesPerSecond: 1_000_000 },
    { linkIndex: 9, kind: "tbf", bytesPerSecond: 2_000_000 },
  ],
  pod: link(2, "eth0"),
  podAddresses: [address(2, "10.1.7.2")],
  podRoutes: [
    {
      destination: prefix("0.0.0.0/0"),
      gateway: ip("10.1.7.1"),
      type: "unicast",
      table: 254,
      protocol: 3,
      scope: 0,
      metric: 0,
      linkIndex: 2,
      source: undefined,
    },
  ],
  missingPorts: [],
};

describe("what differs from ADD's answer", () => {
  const differences = (over: Partial<ObservedPod>) => planCheck(CONFIG, ATTACHMENT, PREVIOUS, { ...RIGHT, ...over });

  test("is nothing when all is as it was", () => expect(differences({})).toEqual([]));

  const cases: readonly (readonly [string, Partial<ObservedPod>])[] = [
    ["there is no bridge br-fabedge; link veth1 is no port of bridge br-fabedge", { bridge: undefined }],
    ["this node's end of its link is gone; what goes to the pod is not limited", { host: undefined }],
    ["hairpin of link veth1 is off", { host: link(8, "veth1", { master: 7, hairpin: false }) }],
    ["link veth1 is no port of bridge br-fabedge", { host: link(8, "veth1", { master: 70, hairpin: false }) }],
    ["the pod has no interface eth0", { pod: undefined }],
    ["interface eth0 has another hardware address", { pod: link(2, "eth0", { hardwareAddress: new Uint8Array(6) }) }],
    ["the pod has no route to 0.0.0.0/0 by 10.1.7.1", { podRoutes: [] }],
    ["address 10.1.7.2 is not reserved for it", { reserved: [] }],
    ["what goes from the pod is not limited", { ifb: undefined }],
    ["what goes to the pod is not limited", { qdiscs: RIGHT.qdiscs.map((q) => ({ ...q, bytesPerSecond: 2_000_000 })) }],
    ["host port 80 does not lead to the pod", { missingPorts: [80] }],
  ];
  test.each(cases)("is that %s", (sentence, over) => expect(differences(over).join("; ")).toBe(sentence));
});
