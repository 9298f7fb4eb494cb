import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import {
  commonPrefix,
  formatPrefix,
  type Ip,
  ipBytes,
  ipFromBytes,
  makePrefix,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixCovers,
} from "../../../../src/base/ip.ts";
import { ip, prefix } from "../../../support/network-objects.ts";

const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
/** Runs of zeros are where RFC 5952 has its rules, so half of the groups are zero. */
const sparse16 = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((g) => [g >> 8, g & 0xff])));

describe("parseIp()", () => {
  test("agrees with ipaddr.js on every address that it prints", () => {
    fc.assert(
      fc.property(fc.oneof(bytes4, bytes16, sparse16), (bytes) => {
        const oracle = ipaddr.fromByteArray([...bytes]);
        expect([...ipBytes(ip(oracle.toNormalizedString()))]).toEqual([...bytes]);
        expect([...ipBytes(ip(oracle.toString()))]).toEqual([...bytes]);
      }),
    );
  });

  test("takes groups of zeros for an address that is mapped only when all five of them are there", () => {
    expect<string>(ip("::ffff:0:1")).toBe("::ffff:0.0.0.1");
    expect<string>(ip("1::ffff:0:1")).toBe("1::ffff:0:1");
    expect<string>(ip("::1:ffff:102:304")).toBe("::1:ffff:102:304");
  });

  test("gives one text to one address, the one of RFC 5952", () => {
    fc.assert(
      fc.property(fc.oneof(bytes4, bytes16, sparse16), (bytes) => {
        const text = ipFromBytes(bytes);
        expect(ip(text)).toBe(text);
        const oracle = ipaddr.fromByteArray([...bytes]);
        const mapped = oracle instanceof ipaddr.IPv6 && oracle.isIPv4MappedAddress();
        if (!mapped && oracle instanceof ipaddr.IPv6) expect(text as string).toBe(oracle.toRFC5952String());
      }),
    );
    expect(ip("2001:DB8:0:0:1:0:0:1")).toBe("2001:db8::1:0:0:1" as Ip);
    expect(ip("::ffff:10.0.0.1")).toBe("::ffff:10.0.0.1" as Ip);
    expect(ip("0:0:0:0:0:0:0:0")).toBe("::" as Ip);
  });

  test.each([
    ["010.1.1.1"],
    ["1.2.3"],
    ["0x7f.1"],
    ["256.1.1.1"],
    ["1.2.3.4.5"],
    [" 1.2.3.4"],
    [""],
    [":"],
    [":::"],
    ["1::2::3"],
    ["1:2:3:4:5:6:7"],
    ["1:2:3:4:5:6:7:8:9"],
    ["12345::"],
    ["fe80::1%eth0"],
    ["::1.2.3"],
    ["::01.2.3.4"],
    ["1:2:3:4:5:6:7::8:9"],
    ["1:2:3:4:5:6:7:1.2.3.4"],
    ["1:2:3:4:5:6:7::8"],
    ["1::2:"],
    [":1::2"],
    ["::g"],
  ])("refuses %p", (text) => {
    expect(parseIp(text).ok).toBe(false);
  });

  test("never throws on text from outside", () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => void parseIp(text)));
    fc.assert(fc.property(fc.stringMatching(/^[0-9a-f:.]{0,50}$/), (text) => void parseIp(text)));
  });
});

describe("prefixes", () => {
  test("clear their host bits", () => {
    const parsed = parsePrefix("10.1.2.3/15");
    expect(parsed.ok && formatPrefix(parsed.value)).toBe("10.0.0.0/15");
  });

  test.each([["10.0.0.0"], ["10.0.0.0/33"], ["10.0.0.0/08"], ["10.0.0.0/8/8"], ["::/129"], ["/8"], ["10.0.0.0/"]])(
    "refuse %p",
    (text) => {
      expect(parsePrefix(text).ok).toBe(false);
    },
  );

  test("contain what ipaddr.js says they contain", () => {
    fc.assert(
      fc.property(bytes4, bytes4, fc.nat(32), fc.boolean(), (a, b, length, near) => {
        const other = near ? Uint8Array.from(a, (byte, i) => (i === 3 ? (b[3] ?? 0) : byte)) : b;
        const oracle = ipaddr.fromByteArray([...other]).match(ipaddr.fromByteArray([...a]), length);
        expect(prefixContains(makePrefix(ipFromBytes(a), length), ipFromBytes(other))).toBe(oracle);
      }),
    );
  });

  test("of different families never meet", () => {
    expect(prefixContains({ address: "::" as Ip, length: 0 }, "10.0.0.1" as Ip)).toBe(false);
  });

  test("have one in common that covers them all, and no longer one does", () => {
    const prefixes = fc.array(fc.tuple(bytes4, fc.nat(32)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(prefixes, fc.boolean(), (parts, near) => {
        const all = parts.map(([bytes, length]) =>
          makePrefix(ipFromBytes(near ? Uint8Array.from(bytes, (byte, i) => (i < 2 ? 10 : byte)) : bytes), length),
        );
        const common = commonPrefix(all);
        if (common === undefined) throw new Error("none");
        expect(all.every((one) => prefixCovers(common, one))).toBe(true);
        const [first] = all;
        const longer = makePrefix(first?.address ?? common.address, common.length + 1);
        expect(common.length < 32 && all.every((one) => prefixCovers(longer, one))).toBe(false);
      }),
    );
    expect(commonPrefix([])).toBeUndefined();
  });

  test("cover what is in them and no wider one", () => {
    const [wide, narrow] = [prefix("10.0.0.0/8"), prefix("10.1.0.0/16")];
    expect([prefixCovers(wide, narrow), prefixCovers(narrow, wide), prefixCovers(wide, wide)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
