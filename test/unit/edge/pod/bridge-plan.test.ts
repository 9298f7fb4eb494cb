import { describe, expect, test } from "bun:test";
import { bridgeHardwareAddress, planBridge, type WantedBridge } from "../../../../edge/pod/bridge-plan.ts";
import type { LinkAddress } from "../../../../src/wire/rtnetlink-address.ts";
import type { PodLink } from "../../../../src/wire/rtnetlink-pod-link.ts";
import { ip } from "../../../support/network-objects.ts";

const BRIDGE: PodLink = {
  index: 7,
  name: "br-fabedge",
  kind: "bridge",
  up: true,
  running: true,
  loopback: false,
  multicast: true,
  mtu: 1400,
  master: undefined,
  bridgeCallsIptables: undefined,
  hardwareAddress: new Uint8Array(6),
  alias: undefined,
  peerIndex: undefined,
  hairpin: undefined,
};
const gateway = (address: string, prefixLength: number) => ({ address: ip(address), prefixLength });
const WANTED: WantedBridge = { name: "br-fabedge", mtu: 1400, gateways: [gateway("10.1.7.1", 24)], force: true };
const has = (address: string, prefixLength: number, scope: LinkAddress["scope"] = "global"): LinkAddress => ({
  linkIndex: 7,
  address: ip(address),
  prefixLength,
  scope,
});
const NOTHING = { kind: "change", link: BRIDGE, setUp: false, mtu: undefined, remove: [], add: [] } as const;

describe("a bridge", () => {
  test("that is as wanted is left as it is", () => {
    expect(planBridge(BRIDGE, [has("10.1.7.1", 24), has("fe80::1", 64, "link")], WANTED)).toEqual(NOTHING);
  });

  test("that is missing is made, with a hardware address that stays", () => {
    const hardwareAddress = Uint8Array.of(0x0a, 0x58, 10, 1, 7, 1);
    expect(planBridge(undefined, [], WANTED)).toEqual({ kind: "create", hardwareAddress });
    expect(bridgeHardwareAddress([gateway("fd00:7::1", 64), gateway("10.1.7.1", 24)])).toEqual(hardwareAddress);
    expect(bridgeHardwareAddress([gateway("fd00:7::a01:701", 64)])).toEqual(hardwareAddress);
  });

  test("of another kind is not touched", () => {
    const link = { ...BRIDGE, kind: "dummy" };
    expect(planBridge(link, [], WANTED)).toEqual({ kind: "foreign", link });
  });

  test("that is down, with another MTU, is put right; an MTU that nobody asked for stays", () => {
    const link = { ...BRIDGE, up: false, mtu: 1500 };
    const change = planBridge(link, [has("10.1.7.1", 24)], WANTED);
    expect(change).toEqual({ ...NOTHING, link, setUp: true, mtu: 1400 });
    expect(planBridge(link, [has("10.1.7.1", 24)], { ...WANTED, mtu: 0 })).toMatchObject({ mtu: undefined });
  });

  test("has one IPv4 address: another one gives way when it may, and is in the way when it may not", () => {
    const other = has("10.1.6.1", 24);
    const add = [has("10.1.7.1", 24)];
    expect(planBridge(BRIDGE, [other], WANTED)).toEqual({ ...NOTHING, remove: [other], add });
    const gentle = planBridge(BRIDGE, [other], { ...WANTED, force: false });
    expect(gentle).toEqual({ kind: "taken", by: other, gateway: gateway("10.1.7.1", 24) });
    // The same address with another length is another one.
    expect(planBridge(BRIDGE, [has("10.1.7.1", 16)], WANTED)).toMatchObject({ remove: [has("10.1.7.1", 16)], add });
  });

  test("that has its address keeps an administrator's second one", () => {
    expect(planBridge(BRIDGE, [has("10.1.7.1", 24), has("192.0.2.1", 24)], WANTED)).toEqual(NOTHING);
  });

  test("has several IPv6 addresses where their subnets have nothing in common", () => {
    const wanted = { ...WANTED, gateways: [gateway("fd00:7::1", 64)] };
    const apart = has("fd00:8::1", 64);
    const inside = has("fd00:7::9", 96);
    const around = has("fd00::1", 16);
    const plan = planBridge(BRIDGE, [apart, inside, around], wanted);
    expect(plan).toEqual({ ...NOTHING, remove: [inside, around], add: [has("fd00:7::1", 64)] });
    expect(planBridge(BRIDGE, [apart], { ...wanted, force: false })).toMatchObject({ kind: "change", remove: [] });
  });
});
