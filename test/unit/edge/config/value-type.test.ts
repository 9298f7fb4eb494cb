import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  domainName,
  integer,
  interfaceName,
  listOf,
  MAX_LIST_ITEMS,
  network,
  path,
  placeName,
  socketAddress,
  url,
} from "../../../../edge/config/value-type.ts";

test("an interface name is what the kernel takes", () => {
  for (const name of ["eth0", "fabedge-dummy0", "a23456789012345"]) expect(interfaceName.parse(name).ok).toBe(true);
  for (const name of ["", ".", "..", "a/b", "a b", "a:b", "a234567890123456"])
    expect(interfaceName.parse(name).ok).toBe(false);
});

test("a domain name loses its case and its last dot", () => {
  expect(domainName.parse("Cluster.Local.")).toEqual({ ok: true, value: "cluster.local" });
  for (const name of ["", ".", "a..b", "-a", "a_b", `${"a".repeat(64)}.x`, "a.".repeat(128)]) {
    expect(domainName.parse(name).ok).toBe(false);
  }
});

test("a zone or region is any text with a letter or a digit in it", () => {
  const texts = ["cn-north-1", " 华北 ", "Zone 7", "--", "", "x".repeat(254)];
  expect(texts.map((text) => placeName.parse(text).ok)).toEqual([true, true, true, false, false, false]);
  expect(placeName.parse(" 华北 ")).toMatchObject({ value: "华北" });
});

test("a number is decimal and in its range", () => {
  const port = integer(0, 65535);
  expect(port.parse("0")).toEqual({ ok: true, value: 0 });
  expect(port.parse("65535")).toEqual({ ok: true, value: 65535 });
  for (const text of ["", "65536", "-1", "1e3", "0x10", "010", " 1"]) expect(port.parse(text).ok).toBe(false);
});

test("a path is absolute and loses its last slash", () => {
  expect(path.parse("/run/selvedge/")).toEqual({ ok: true, value: "/run/selvedge" });
  expect(path.parse("/")).toEqual({ ok: true, value: "/" });
  for (const text of ["", "run", "./run", "/a\0b"]) expect(path.parse(text).ok).toBe(false);
});

test("a URL is http or https without query", () => {
  expect(url.parse("https://[::1]:6443/base/")).toEqual({ ok: true, value: "https://[::1]:6443/base" });
  for (const text of ["", "127.0.0.1:10550", "ftp://a", "http://", "http://a?b", "http://a#b", "http://u@a"]) {
    expect(url.parse(text).ok).toBe(false);
  }
});

test("an address with a port comes back as it was written, for every address and port", () => {
  const type = socketAddress(53);
  const port = fc.integer({ min: 0, max: 65535 });
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, number) => {
      const text = address.includes(":") ? `[${address}]:${number}` : `${address}:${number}`;
      const first = type.parse(text);
      if (!first.ok) throw new Error(text);
      expect(first.value.port).toBe(number);
      expect(type.parse(type.format(first.value))).toEqual(first);
    }),
  );
  for (const text of ["", ":53", "10.0.0.1:", "10.0.0.1:65536", "::1:53:", "[10.0.0.1]:53", "host:53"]) {
    expect(type.parse(text).ok).toBe(false);
  }
  expect(socketAddress(undefined).parse("127.0.0.1").ok).toBe(false);
});

test("a list has a bound and no empty items", () => {
  const type = listOf(network);
  expect(type.parse("10.0.0.0/8, 2001:db8::/32").ok).toBe(true);
  expect(type.parse("10.0.0.0/8,").ok).toBe(false);
  expect(type.parse(Array(MAX_LIST_ITEMS).fill("10.0.0.0/8").join(",")).ok).toBe(true);
  expect(
    type.parse(
      Array(MAX_LIST_ITEMS + 1)
        .fill("10.0.0.0/8")
        .join(","),
    ).ok,
  ).toBe(false);
});
