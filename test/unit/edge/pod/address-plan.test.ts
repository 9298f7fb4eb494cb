import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isInRange, planAddress, type RangeSet, wholeRange } from "../../../../edge/pod/address-plan.ts";
import type { Ip } from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const whole = (text: string): RangeSet => [wholeRange(prefix(text))];
const plan = (ranges: RangeSet, reserved: readonly string[], previous?: string) =>
  planAddress(ranges, new Set(reserved.map(ip)), previous === undefined ? undefined : ip(previous))?.address;

describe("a whole subnet", () => {
  test.each([
    ["10.1.7.0/24", "10.1.7.1", "10.1.7.254"],
    ["10.1.7.8/30", "10.1.7.9", "10.1.7.10"],
    ["fd00:7::/120", "fd00:7::1", "fd00:7::ff"],
    ["fd00:7::/64", "fd00:7::1", "fd00:7::ffff:ffff:ffff:ffff"],
  ])("of %s goes from %s to %s, and the first address is the gateway's", (subnet, first, last) => {
    expect(wholeRange(prefix(subnet))).toEqual({
      subnet: prefix(subnet),
      first: ip(first),
      last: ip(last),
      gateway: ip(first),
    });
  });
});

describe("the next address", () => {
  test("is the first one that is not the gateway's", () => expect(plan(whole("10.1.7.0/24"), [])).toBe(ip("10.1.7.2")));

  test("comes behind the last that was given out, whatever is free before it", () => {
    expect(plan(whole("10.1.7.0/24"), ["10.1.7.9"], "10.1.7.9")).toBe(ip("10.1.7.10"));
  });

  test("is the first again behind the last", () => {
    expect(plan(whole("10.1.7.0/24"), [], "10.1.7.254")).toBe(ip("10.1.7.2"));
    expect(plan(whole("10.1.7.0/30"), ["10.1.7.2"], "10.1.7.2")).toBeUndefined();
  });

  test("of several ranges goes from one to the next, and back to the first", () => {
    const ranges = [...whole("10.1.7.0/30"), ...whole("10.1.9.0/30")];
    expect(plan(ranges, ["10.1.7.2"], "10.1.7.2")).toBe(ip("10.1.9.2"));
    expect(plan(ranges, ["10.1.9.2"], "10.1.9.2")).toBe(ip("10.1.7.2"));
  });

  test("begins anew where the last one is of a subnet that this network no longer has", () => {
    expect(plan(whole("10.1.7.0/24"), [], "10.9.9.9")).toBe(ip("10.1.7.2"));
  });

  test("keeps to the ends of a range, and takes its gateway wherever that is", () => {
    const [range] = whole("10.1.7.0/24");
    if (range === undefined) throw new Error("no range");
    const part = [{ ...range, first: ip("10.1.7.5"), last: ip("10.1.7.7"), gateway: ip("10.1.7.6") }];
    expect(plan(part, [])).toBe(ip("10.1.7.5"));
    expect(plan(part, ["10.1.7.5"], "10.1.7.5")).toBe(ip("10.1.7.7"));
    expect(plan(part, ["10.1.7.5", "10.1.7.7"], "10.1.7.7")).toBeUndefined();
  });

  test("of a /64 is found at once, however many are in use", () => {
    const reserved = Array.from({ length: 5000 }, (_, i) => `fd00:7::${(i + 2).toString(16)}`);
    expect(plan(whole("fd00:7::/64"), reserved)).toBe(ip("fd00:7::138a"));
  });

  test("for any order of pods that come and go, is free, in range, and there as long as one is", () => {
    const steps = fc.array(fc.oneof(fc.constant("come" as const), fc.nat(20)), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (all) => {
        const ranges = [...whole("10.1.7.0/29"), ...whole("10.1.9.0/30")];
        const used = new Set<Ip>();
        let previous: Ip | undefined;
        for (const step of all) {
          if (step !== "come") {
            const leaver = [...used][step % Math.max(1, used.size)];
            if (leaver !== undefined) used.delete(leaver);
            continue;
          }
          const planned = planAddress(ranges, used, previous);
          // Five of the /29 and one of the /30.
          expect(planned === undefined).toBe(used.size === 6);
          if (planned === undefined) continue;
          expect(used.has(planned.address)).toBe(false);
          expect(isInRange(planned.range, planned.address)).toBe(true);
          used.add(planned.address);
          previous = planned.address;
        }
      }),
    );
  });
});
