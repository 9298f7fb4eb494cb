import { describe, expect, test } from "bun:test";
import { ServicePrefixes } from "../../../../edge/tunnel/service-prefixes.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const SERVICES = prefix("10.96.0.0/12");
const PODS = prefix("10.1.0.0/24");

describe("a peer's network", () => {
  test("has services when one of them is known, before or after the network is", () => {
    const known: Ip[] = [ip("10.96.0.10")];
    const before = new ServicePrefixes(() => known);
    before.setPrefixes([SERVICES, PODS]);
    expect([SERVICES, PODS].map((one) => before.serves(one))).toEqual([true, false]);

    const after = new ServicePrefixes(() => []);
    after.setPrefixes([SERVICES, PODS]);
    expect(after.serves(SERVICES)).toBe(false);
    expect(after.add([ip("192.0.2.1")])).toBe(false);
    expect(after.add([ip("10.100.0.1")])).toBe(true);
    expect(after.add([ip("10.100.0.2")])).toBe(false);
    expect(after.serves(SERVICES)).toBe(true);
  });

  test("goes on having them when the last one is gone", () => {
    const known: Ip[] = [ip("10.96.0.10")];
    const prefixes = new ServicePrefixes(() => known);
    prefixes.setPrefixes([SERVICES]);
    known.pop();
    prefixes.setPrefixes([SERVICES, PODS]);
    expect(prefixes.serves(SERVICES)).toBe(true);
  });
});
