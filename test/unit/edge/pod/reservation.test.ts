import { describe, expect, test } from "bun:test";
import { formatReservation, isHeldBy, parseReservation, reservedAddress } from "../../../../edge/pod/reservation.ts";
import { linkAlias, parseLinkAlias, vethName } from "../../../../edge/pod/veth-name.ts";
import { ip } from "../../../support/network-objects.ts";

const OWNER = { containerId: "c1", ifName: "eth0" };

describe("a reservation", () => {
  test("is host-local's text: two lines as Windows ends them", () =>
    expect(formatReservation(OWNER)).toBe("c1\r\neth0"));

  test.each([
    ["c1\r\neth0", OWNER],
    ["c1\neth0\n", OWNER],
    ["c1", { containerId: "c1", ifName: "" }],
    ["", undefined],
    ["\r\n", undefined],
  ])("%p is of %p", (text, owner) => expect(parseReservation(text)).toEqual(owner));

  test("of an old plugin, without an interface, is of any interface of the container", () => {
    expect(isHeldBy({ containerId: "c1", ifName: "" }, OWNER)).toBe(true);
    expect(isHeldBy({ containerId: "c1", ifName: "eth1" }, OWNER)).toBe(false);
    expect(isHeldBy({ containerId: "c2", ifName: "eth0" }, OWNER)).toBe(false);
  });

  test("is in a file whose name is an address, and in no other", () => {
    expect(reservedAddress("10.1.7.2")).toBe(ip("10.1.7.2"));
    for (const name of ["lock", "last_reserved_ip.0", ".selvedge-cni", ".selvedge-host-ports"])
      expect(reservedAddress(name)).toBeUndefined();
  });
});

describe("a pod's link", () => {
  test("has a name of its network, container and interface", () => {
    const names = [
      vethName("a", OWNER),
      vethName("b", OWNER),
      vethName("a", { ...OWNER, ifName: "eth1" }),
      vethName("a", { ...OWNER, containerId: "c2" }),
    ];
    expect(new Set(names).size).toBe(4);
    expect(vethName("a", OWNER)).toBe(names[0] ?? "");
    for (const name of names) expect(name).toMatch(/^veth[\da-f]{8}$/);
  });

  test("says whose it is, and fits the kernel's 255 characters at its longest", () => {
    expect(parseLinkAlias("fabedge", linkAlias("fabedge", OWNER))).toEqual(OWNER);
    expect(parseLinkAlias("other", linkAlias("fabedge", OWNER))).toBeUndefined();
    for (const alias of [undefined, "", "uplink", "selvedge fabedge"])
      expect(parseLinkAlias("fabedge", alias)).toBeUndefined();
    const longest = { containerId: "c".repeat(128), ifName: "i".repeat(15) };
    expect(linkAlias("n".repeat(64), longest).length).toBeLessThanOrEqual(255);
  });
});
