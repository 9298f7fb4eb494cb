import { expect, test } from "bun:test";
import { nearestName } from "../../../../src/base/nearest-name.ts";

const KNOWN = ["enable-dns", "enable-proxy", "dns-bind-ip", "node-name"];

test("a slip, another case or other separators find the name", () => {
  expect(nearestName("enable-dsn", KNOWN)).toBe("enable-dns");
  expect(nearestName("DNS_BIND_IP", KNOWN)).toBe("dns-bind-ip");
  expect(nearestName("nodeName", KNOWN)).toBe("node-name");
  expect(nearestName("enable-prox", KNOWN)).toBe("enable-proxy");
});

test("a third of a name's letters may be wrong, and the nearest of several is found", () => {
  expect(nearestName("oddily", ["family"])).toBeUndefined();
  expect(nearestName("fodily", ["family"])).toBe("family");
  expect(nearestName("familyes", ["family"])).toBe("family");
  expect(nearestName("familyish", ["family"])).toBeUndefined();
  expect(nearestName("famly", ["folly", "family", "facility"])).toBe("family");
  expect(nearestName("folli", ["folly", "family"])).toBe("folly");
  expect(nearestName("folli", ["folly", "folla"])).toBe("folly");
});

test("something else finds nothing", () => {
  expect(nearestName("frobnicate", KNOWN)).toBeUndefined();
  expect(nearestName("", KNOWN)).toBeUndefined();
});
