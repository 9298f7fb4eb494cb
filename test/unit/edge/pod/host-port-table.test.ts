import { describe, expect, test } from "bun:test";
import { formatHostPortBook, type MappedPod, parseHostPortBook } from "../../../../edge/pod/host-port-book.ts";
import { planHostPortElements } from "../../../../edge/pod/host-port-table.ts";
import type { PortMapping } from "../../../../edge/pod/port-mapping.ts";
import type { Family } from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const pod = (name: string, addresses: readonly string[], mappings: readonly PortMapping[]): MappedPod => ({
  containerId: name,
  ifName: "eth0",
  addresses: addresses.map(ip),
  mappings,
});
const mapping = (hostPort: number, hostIp?: string): PortMapping => ({
  hostPort,
  containerPort: 80,
  protocol: "tcp",
  hostIp: hostIp === undefined ? undefined : ip(hostIp),
});
const SUBNETS = [prefix("10.1.7.0/24"), prefix("fd00:7::/64")];
const set = (name: string, family: Family, ...pods: readonly MappedPod[]) =>
  (planHostPortElements(family, pods, SUBNETS).get(name) ?? []).map(({ key, data }) =>
    [...key, ...(data ?? [])].join(" "),
  );

describe("elements of host ports", () => {
  const dual = pod("dual", ["10.1.7.2", "fd00:7::2"], [mapping(8080)]);

  test("are of each family that the pod has", () => {
    expect(set("ports", 4, dual)).toEqual(["6 8080 10.1.7.2 80"]);
    expect(set("ports", 6, dual)).toEqual(["6 8080 fd00:7::2 80"]);
    expect(set("targets", 4, dual)).toEqual(["10.1.7.2 6 80 8080"]);
  });

  test("with an address are of its family, and of all its addresses where it is the unspecified one", () => {
    const bound = pod(
      "bound",
      ["10.1.7.2", "fd00:7::2"],
      [mapping(80, "192.0.2.1"), mapping(81, "0.0.0.0"), mapping(82, "::")],
    );
    expect(set("ports-of-address", 4, bound)).toEqual(["192.0.2.1 6 80 10.1.7.2 80"]);
    expect(set("ports", 4, bound)).toEqual(["6 81 10.1.7.2 80"]);
    expect(set("ports", 6, bound)).toEqual(["6 82 fd00:7::2 80"]);
  });

  test("of two pods with one port are the later one's", () => {
    const [one, two] = [pod("one", ["10.1.7.2"], [mapping(8080)]), pod("two", ["10.1.7.3"], [mapping(8080)])];
    expect(set("ports", 4, one, two)).toEqual(["6 8080 10.1.7.3 80"]);
  });

  test("count this network's pods, and this node itself for IPv4, as clients who need its address", () => {
    expect(set("clients", 4, dual)).toEqual(["127.0.0.0", "128.0.0.0", "10.1.7.0", "10.1.8.0"]);
    expect(set("clients", 6, dual)).toEqual(["fd00:7::", "fd00:7:0:1::"]);
  });
});

describe("the book", () => {
  test("reads what it wrote", () => {
    const book = [pod("a", ["10.1.7.2", "fd00:7::2"], [mapping(80), mapping(81, "192.0.2.1")]), pod("b", [], [])];
    expect(parseHostPortBook(formatHostPortBook(book))).toEqual(book);
  });

  test.each(["", "{", '{"pods":7}', '{"pods":[{}]}'])("that says %p is empty", (text) => {
    expect(parseHostPortBook(text)).toEqual([]);
  });
});
