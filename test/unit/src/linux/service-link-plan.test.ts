import { describe, expect, test } from "bun:test";
import { LOOPBACK_LABEL, planServiceLink, type WantedServiceLink } from "../../../../src/linux/service-link-plan.ts";
import type { LinkAddress } from "../../../../src/wire/rtnetlink-address.ts";
import type { Link } from "../../../../src/wire/rtnetlink-link.ts";
import { ip } from "../../../support/network-objects.ts";

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  const kind = name === "lo" ? undefined : "dummy";
  const state = { up: true, running: true, loopback: name === "lo", multicast: false, mtu: 1500, master: undefined };
  return { index, name, kind, ...state, bridgeCallsIptables: undefined, ...more };
}

function on(linkIndex: number, text: string, more: Partial<LinkAddress> = {}): LinkAddress {
  const prefixLength = text.includes(":") ? 128 : 32;
  return { linkIndex, address: ip(text), prefixLength, scope: "host", label: undefined, ...more };
}

const lo = link(1, "lo");
const svc = link(2, "svc");

function wanted(addresses: readonly string[], more: Partial<WantedServiceLink> = {}): WantedServiceLink {
  const kinds = ["dummy", "bridge"] as const;
  return { name: "svc", addresses: new Set(addresses.map(ip)), kinds, ownOnLoopback: new Set(), ...more };
}

describe("the link", () => {
  test("is made of the preferred kind where there is none, before anything else", () => {
    const plan = planServiceLink({ links: [lo], addresses: [] }, wanted(["10.0.0.1"]));
    expect(plan).toEqual({
      create: "dummy",
      holder: undefined,
      setUp: false,
      remove: [],
      add: [],
      foreign: undefined,
    });
  });

  test("is set up where it is down", () => {
    const plan = planServiceLink({ links: [lo, link(2, "svc", { up: false })], addresses: [] }, wanted([]));
    expect(plan.setUp).toBe(true);
  });

  test.each([
    ["hardware", [lo, link(2, "svc", { kind: undefined })]],
    ["a veth", [lo, link(2, "svc", { kind: "veth" })]],
    ["a bridge with a port", [lo, link(2, "svc", { kind: "bridge" }), link(3, "port", { master: 2 })]],
  ])("is not taken from another program: %s", (_, links) => {
    const plan = planServiceLink({ links, addresses: [on(2, "10.0.0.9")] }, wanted(["10.0.0.1"]));
    expect(plan.foreign?.index).toBe(2);
    expect([plan.add, plan.remove, plan.create, plan.setUp]).toEqual([[], [], undefined, false]);
  });

  test("may be a bridge without ports", () => {
    const links = [lo, link(2, "svc", { kind: "bridge" }), link(3, "port", { master: 4 })];
    expect(planServiceLink({ links, addresses: [] }, wanted([])).holder?.index).toBe(2);
  });
});

describe("the addresses", () => {
  test("nothing is planned when all is as wanted", () => {
    const plan = planServiceLink(
      { links: [lo, svc], addresses: [on(2, "10.0.0.1"), on(2, "fd00::1"), on(2, "fe80::1", { scope: "link" })] },
      wanted(["10.0.0.1", "fd00::1"]),
    );
    expect(plan).toEqual({ create: undefined, holder: svc, setUp: false, remove: [], add: [], foreign: undefined });
  });

  test("what is missing is added and what is not wanted is removed, on this link only", () => {
    const other = on(1, "10.0.0.8");
    const plan = planServiceLink(
      { links: [lo, svc], addresses: [other, on(2, "10.0.0.9"), on(2, "10.0.0.2")] },
      wanted(["10.0.0.1", "10.0.0.2", "fd00::1"]),
    );
    expect(plan.remove).toEqual([on(2, "10.0.0.9")]);
    expect(plan.add).toEqual([on(2, "10.0.0.1"), on(2, "fd00::1")]);
  });

  test("one that brings a subnet with it is replaced", () => {
    const wide = on(2, "10.0.0.1", { prefixLength: 24 });
    const plan = planServiceLink({ links: [lo, svc], addresses: [wide] }, wanted(["10.0.0.1"]));
    expect([plan.remove, plan.add]).toEqual([[wide], [on(2, "10.0.0.1")]]);
  });

  test("one that another link of the node has is not added", () => {
    const uplink = link(3, "eth0", { kind: undefined });
    const node = on(3, "192.0.2.7", { prefixLength: 24, scope: "global", label: "eth0" });
    const plan = planServiceLink({ links: [lo, svc, uplink], addresses: [node] }, wanted(["192.0.2.7", "10.0.0.1"]));
    expect([plan.remove, plan.add]).toEqual([[], [on(2, "10.0.0.1")]]);
  });

  test("one that FabEdge left with scope global stays", () => {
    const global = on(2, "169.254.25.10", { scope: "global", label: "svc" });
    const plan = planServiceLink({ links: [lo, svc], addresses: [global] }, wanted(["169.254.25.10"]));
    expect([plan.remove, plan.add]).toEqual([[], []]);
  });
});

describe("without a link of our own, lo", () => {
  const none = { kinds: [] } as const;

  test("gets the addresses, IPv4 ones with a label", () => {
    const plan = planServiceLink({ links: [lo], addresses: [] }, wanted(["10.0.0.1", "fd00::1"], none));
    expect(plan.holder).toBe(lo);
    expect(plan.add).toEqual([on(1, "10.0.0.1", { label: LOOPBACK_LABEL }), on(1, "fd00::1")]);
  });

  test("keeps what we did not put there", () => {
    const addresses = [
      on(1, "127.0.0.1", { prefixLength: 8, label: "lo" }),
      on(1, "::1"),
      on(1, "10.0.0.7", { label: "lo" }),
      on(1, "10.0.0.8", { label: LOOPBACK_LABEL }),
      on(1, "fd00::8"),
      on(1, "fd00::9"),
    ];
    const ownOnLoopback = new Set([ip("fd00::8")]);
    const plan = planServiceLink({ links: [lo], addresses }, wanted([], { ...none, ownOnLoopback }));
    expect(plan.remove.map((a) => a.address)).toEqual([ip("10.0.0.8"), ip("fd00::8")]);
  });
});
