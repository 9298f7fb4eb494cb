import { describe, expect, test } from "bun:test";
import { parseNetworkConfig } from "../../../../edge/pod/network-config.ts";
import { errorCode, errorText } from "../../../../src/base/errors.ts";
import { ip } from "../../../support/network-objects.ts";

const MINIMAL = {
  cniVersion: "1.0.0",
  name: "fabedge",
  ipam: { type: "host-local", ranges: [[{ subnet: "10.1.7.0/24" }]] },
};
const parse = (over: Readonly<Record<string, unknown>> = {}) =>
  parseNetworkConfig(JSON.stringify({ ...MINIMAL, ...over }));
const ipam = (over: Readonly<Record<string, unknown>>) => ({ ipam: { type: "host-local", ...over } });

function refusal(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    return `${errorCode(error)}: ${errorText(error)}`;
  }
  return "none";
}

describe("a network configuration", () => {
  test("has the stock plugins' defaults", () => {
    expect(parse()).toMatchObject({
      bridge: "cni0",
      mtu: 0,
      hairpin: false,
      isGateway: false,
      isDefaultGateway: false,
      forceAddress: false,
      dataDir: "/var/lib/cni/networks",
      routes: [],
      portMappings: [],
      bandwidth: undefined,
    });
  });

  test("a default gateway is a gateway", () => {
    expect(parse({ isDefaultGateway: true })).toMatchObject({ isGateway: true, isDefaultGateway: true });
  });

  test("takes host-local's first form, one subnet, as a set of its own before the others", () => {
    const { ranges } = parse(ipam({ subnet: "10.1.6.0/24", ranges: [[{ subnet: "10.1.7.0/24" }]] }));
    expect(ranges.map(([range]) => range?.subnet.address)).toEqual([ip("10.1.6.0"), ip("10.1.7.0")]);
  });

  test("a limit without a rate or a burst is none, and one without the other is refused", () => {
    const limits = (over: Readonly<Record<string, number>>) => parse({ runtimeConfig: { bandwidth: over } }).bandwidth;
    expect(limits({ ingressRate: 0, ingressBurst: 0 })).toBeUndefined();
    expect(limits({ egressRate: 8000, egressBurst: 4_294_967_295 })).toMatchObject({ ingress: undefined });
    expect(refusal(() => limits({ ingressRate: 8000 }))).toContain(
      "ingressBurst is wrong: less than a byte, with a rate",
    );
    expect(refusal(() => limits({ ingressBurst: 8000 }))).toContain("ingressRate is wrong");
  });

  const refused: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    [
      'CNI_VERSION: Cannot answer as the CNI version is none of 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0: current value is "0.2.0"',
      { cniVersion: "0.2.0" },
    ],
    [
      'CNI_VERSION: Cannot answer as the CNI version is none of 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0: current value is "0.1.0"',
      { cniVersion: undefined },
    ],
    ["CNI_CONFIG: Cannot use the network configuration as name is wrong: not a network's name", { name: "../up" }],
    ["CNI_CONFIG: Cannot use the network configuration as name is wrong: missing", { name: undefined }],
    ["CNI_CONFIG: Cannot use the network configuration as bridge is wrong: not an interface's name", { bridge: "a/b" }],
    ["CNI_CONFIG: Cannot use the network configuration as bridge is wrong: not an interface's name", { bridge: ".." }],
    ["CNI_CONFIG: Cannot use the network configuration as mtu is wrong: less than 68", { mtu: 67 }],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.type is wrong: not host-local",
      { ipam: { type: "dhcp" } },
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges is wrong: empty: there is no address to give",
      ipam({ ranges: [] }),
    ],
    ["CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0] is wrong: empty", ipam({ ranges: [[]] })],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0] is wrong: of both families",
      ipam({ ranges: [[{ subnet: "10.1.7.0/24" }, { subnet: "fd00::/64" }]] }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0][0].subnet is wrong: too small: it has no address for a pod",
      ipam({ ranges: [[{ subnet: "10.1.7.0/31" }]] }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0][0].gateway is wrong: not in the subnet",
      ipam({ ranges: [[{ subnet: "10.1.7.0/24", gateway: "10.1.8.1" }]] }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0][0].rangeEnd is wrong: before rangeStart",
      ipam({ ranges: [[{ subnet: "10.1.7.0/24", rangeStart: "10.1.7.9", rangeEnd: "10.1.7.8" }]] }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.ranges[0][0] is wrong: the subnet's own address, or its broadcast address, is in the range",
      ipam({ ranges: [[{ subnet: "10.1.7.0/24", rangeEnd: "10.1.7.255" }]] }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as ipam.dataDir is wrong: not an absolute path",
      ipam({ dataDir: "x", ranges: MINIMAL.ipam.ranges }),
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as runtimeConfig.portMappings[0].protocol is wrong: not tcp, udp or sctp",
      { runtimeConfig: { portMappings: [{ hostPort: 1, containerPort: 1, protocol: "icmp" }] } },
    ],
    [
      "CNI_CONFIG: Cannot use the network configuration as runtimeConfig.portMappings[0].hostPort is wrong: not a whole number from 1 to 65535",
      { runtimeConfig: { portMappings: [{ hostPort: 0, containerPort: 1, protocol: "tcp" }] } },
    ],
    ['CNI_UNSUPPORTED: Cannot use the network configuration as this plugin has no "vlan"', { vlan: 7 }],
    ['CNI_UNSUPPORTED: Cannot use the network configuration as this plugin has no "ipMasq"', { ipMasq: true }],
  ];
  test.each(refused)("%s", (sentence, over) => expect(refusal(() => parse(over))).toBe(sentence));

  test("that is no JSON is told apart from one that is wrong", () => {
    expect(refusal(() => parseNetworkConfig("{"))).toStartWith("CNI_DECODE: ");
    expect(refusal(() => parseNetworkConfig("[]"))).toStartWith("CNI_CONFIG: ");
  });

  test("says for GC who is there: nobody where that is null, and nothing where it is absent", () => {
    const valid = (attachments: unknown) => parse({ "cni.dev/valid-attachments": attachments }).validAttachments;
    expect(valid([{ containerID: "c1", ifname: "eth0" }])).toEqual([{ containerId: "c1", ifName: "eth0" }]);
    expect(valid([])).toEqual([]);
    expect(valid(null)).toEqual([]);
    expect(valid(undefined)).toBeUndefined();
  });

  test("does not stumble over what other plugins' fields say", () => {
    expect(parse({ ipMasq: false, vlan: 0, something: { else: 1 } })).toMatchObject({ name: "fabedge" });
  });
});
