import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddressMessage, parseLinkMessage, parseRouteMessage, parseRuleMessage } from "netlink/dist/rt/structs";
import { ipBytes, ipFamily, ipFromBytes, makePrefix, parseIp } from "../../../../src/base/ip.ts";
import type { DecodeError, Result } from "../../../../src/base/result.ts";
import { decodeMessages, type NetlinkMessage } from "../../../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";
import { decodeAddress, encodeAddressAdd } from "../../../../src/wire/rtnetlink-address.ts";
import { decodeLink, encodeLinkCreate } from "../../../../src/wire/rtnetlink-link.ts";
import { decodeRoute, encodeRouteAdd, encodeRouteQuery, type Route } from "../../../../src/wire/rtnetlink-route.ts";
import { decodeRule, encodeRuleAdd, type PolicyRule } from "../../../../src/wire/rtnetlink-rule.ts";

const u32 = fc.integer({ min: 1, max: 0x7fffffff });
const ip4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const ip6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);

function encoded(encode: (writer: NetlinkWriter) => void): NetlinkMessage {
  const writer = new NetlinkWriter();
  encode(writer);
  const messages = decodeMessages(writer.bytes());
  const [only] = messages.ok ? messages.value : [];
  if (only === undefined) throw new Error("not one message");
  return only;
}

function value<T>(result: Result<T, DecodeError>): T {
  if (!result.ok) throw new Error(result.error.why);
  return result.value;
}

const hex = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString("hex"));

describe("addresses", () => {
  const address = fc
    .oneof(
      ip4.map((a) => [a, 32] as const),
      ip6.map((a) => [a, 128] as const),
    )
    .chain(([a, most]) =>
      fc.record({
        linkIndex: u32,
        address: fc.constant(a),
        prefixLength: fc.nat(most),
        scope: fc.constantFrom("global" as const, "link" as const, "host" as const),
      }),
    );

  test("another codec sees what is asked for, and our own reads it back", () => {
    fc.assert(
      fc.property(address, (a) => {
        const message = encoded((writer) => encodeAddressAdd(writer, 1, a));
        const oracle = parseAddressMessage(Buffer.from(message.payload));
        expect(oracle.data.index).toBe(a.linkIndex);
        expect(oracle.data.prefixlen).toBe(a.prefixLength);
        expect(oracle.data.scope).toBe({ global: 0, link: 253, host: 254 }[a.scope]);
        expect(oracle.data.flags?.nodad ?? false).toBe(a.address.includes(":"));
        expect(hex(oracle.attrs.local)).toBe(hex(ipBytes(a.address)));
        expect(hex(oracle.attrs.address)).toBe(hex(ipBytes(a.address)));
        expect(value(decodeAddress(message))).toEqual(a);
      }),
    );
  });
});

describe("routes", () => {
  const of = (ip: typeof ip4, most: number) =>
    fc.record({
      destination: fc.tuple(ip, fc.nat(most)).map(([a, length]) => makePrefix(a, length)),
      type: fc.constantFrom("unicast" as const, "blackhole" as const, "unreachable" as const),
      table: u32,
      protocol: fc.nat(255),
      scope: fc.nat(255),
      metric: u32,
      linkIndex: fc.option(u32, { nil: undefined }),
      gateway: fc.option(ip, { nil: undefined }),
      source: fc.option(ip, { nil: undefined }),
      mtu: fc.option(u32, { nil: undefined }),
      onlink: fc.option(fc.constant(true), { nil: undefined }),
    });
  const route: fc.Arbitrary<Route> = fc.oneof(of(ip4, 32), of(ip6, 128));

  test("another codec sees what is asked for, and our own reads it back", () => {
    fc.assert(
      fc.property(route, (r) => {
        const message = encoded((writer) => encodeRouteAdd(writer, 1, r));
        const oracle = parseRouteMessage(Buffer.from(message.payload));
        expect(oracle.data.dstLen).toBe(r.destination.length);
        expect(hex(oracle.attrs.dst)).toBe(hex(ipBytes(r.destination.address)));
        expect(oracle.attrs.table).toBe(r.table);
        expect(oracle.attrs.priority).toBe(r.metric);
        expect(oracle.attrs.oif).toBe(r.linkIndex as number);
        expect(hex(oracle.attrs.gateway)).toBe(hex(r.gateway === undefined ? undefined : ipBytes(r.gateway)));
        expect(hex(oracle.attrs.prefsrc)).toBe(hex(r.source === undefined ? undefined : ipBytes(r.source)));
        // RTNH_F_ONLINK, where rtm_flags are.
        expect(message.payload[8]).toBe(r.onlink === true ? 4 : 0);
        expect(value(decodeRoute(message, { family: ipFamily(r.destination.address), table: r.table }))).toEqual(r);
      }),
    );
  });

  /** struct rtmsg of a unicast route in the main table, and RTA_DST. */
  const route4 = (length: number, destination: readonly number[]) => {
    const header = [2, length, 0, 0, 254, 2, 0, 1, 0, 0, 0, 0, 4 + destination.length, 0, 1, 0];
    const payload = Uint8Array.from([...header, ...destination]);
    return decodeRoute({ type: 24, flags: 0, sequence: 1, port: 0, payload }, { family: 4, table: 254 });
  };

  test("a destination that is no IPv4 address is refused, and is not the default route", () => {
    expect(route4(32, [192, 0, 2, 1])).toMatchObject({ ok: true, value: { destination: { length: 32 } } });
    expect(route4(32, [192, 0, 2, 1, 0]).ok).toBeFalse();
    expect(route4(32, Array(16).fill(1)).ok).toBeFalse();
    expect(route4(33, [192, 0, 2, 1]).ok).toBeFalse();
  });

  const gateway4 = value(parseIp("192.0.2.1"));
  const gateway6 = value(parseIp("fe80::1"));
  const plain: Route = {
    destination: makePrefix(gateway4, 32),
    ...{ type: "unicast", table: 254, protocol: 2, scope: 0, metric: 0, linkIndex: 7, source: undefined },
    gateway: undefined,
  };
  const MAIN = { family: 4, table: 254 } as const;

  test("a gateway of the other family is read as it was written", () => {
    const route = { ...plain, gateway: gateway6 };
    const message = encoded((writer) => encodeRouteAdd(writer, 1, route));
    // RTA_VIA, struct rtvia: AF_INET6 and the address.
    expect(hex(message.payload)).toContain(`16001200${"0a00"}${hex(ipBytes(gateway6))}`);
    expect(value(decodeRoute(message, MAIN))).toEqual(route);
  });

  test("of several next hops the first that works is told, and such a route is not written", () => {
    const hop = (flags: number, link: number, last: number) => [
      16,
      0,
      flags,
      0,
      link,
      0,
      0,
      0,
      8,
      0,
      5,
      0,
      192,
      0,
      2,
      last,
    ];
    const read = (...hops: number[][]) => {
      const bytes = hops.flat();
      const header = [2, 8, 0, 0, 254, 2, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 0, 0, 0, 4 + bytes.length, 0, 9, 0];
      return decodeRoute(
        { type: 24, flags: 0, sequence: 1, port: 0, payload: Uint8Array.from([...header, ...bytes]) },
        MAIN,
      );
    };
    expect(read(hop(1, 3, 1), hop(4, 5, 2), hop(0, 6, 3))).toMatchObject({
      value: { multipath: true, linkIndex: 5, gateway: "192.0.2.2", onlink: true },
    });
    expect(read(hop(1, 3, 1), hop(16, 5, 2))).toMatchObject({ value: { linkIndex: 3, gateway: "192.0.2.1" } });
    expect(read(hop(0, 3, 1).with(0, 15)).ok).toBeFalse();
    expect(read(hop(0, 3, 1).with(0, 200)).ok).toBeFalse();
    expect(read(hop(0, 3, 1).with(0, 4)).ok).toBeFalse();
    expect(() => encoded((writer) => encodeRouteAdd(writer, 1, { ...plain, multipath: true }))).toThrow(RangeError);
  });

  test("a question to the kernel is one that strict kernels take", () => {
    const message = encoded((writer) =>
      encodeRouteQuery(writer, 1, { destination: gateway6, mark: 66, matched: true }),
    );
    const oracle = parseRouteMessage(Buffer.from(message.payload));
    expect(oracle.data).toMatchObject({ dstLen: 128, table: 0, protocol: 0, flags: { fibMatch: true } });
    expect(hex(oracle.attrs.dst)).toBe(hex(ipBytes(gateway6)));
    // RTA_MARK, which that codec leaves out.
    expect(hex(message.payload)).toContain("0800100042000000");
  });

  test("a filter leaves other tables and families out", () => {
    fc.assert(
      fc.property(route, (r) => {
        const message = encoded((writer) => encodeRouteAdd(writer, 1, r));
        const family = ipFamily(r.destination.address);
        expect(value(decodeRoute(message, { family, table: r.table }))).toEqual(r);
        expect(value(decodeRoute(message, { family, table: r.table + 1 }))).toBeUndefined();
        expect(value(decodeRoute(message, { family: family === 4 ? 6 : 4, table: r.table }))).toBeUndefined();
      }),
    );
  });
});

describe("links and rules", () => {
  test("another codec sees the link that is asked for", () => {
    const message = encoded((writer) => encodeLinkCreate(writer, 1, "fabedge-dummy0", "dummy"));
    const oracle = parseLinkMessage(Buffer.from(message.payload));
    expect(oracle.attrs.ifname).toBe("fabedge-dummy0");
    // IFLA_INFO_KIND, which that codec leaves as bytes.
    expect(hex(oracle.attrs.linkinfo)).toBe(`0a000100${hex(Buffer.from("dummy\0"))}0000`);
    expect(oracle.data.flags?.up).toBe(true);
    expect(value(decodeLink(message))).toMatchObject({ name: "fabedge-dummy0", kind: "dummy", up: true });
  });

  const rule: fc.Arbitrary<PolicyRule> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
    fc.record({
      family: fc.constant(family),
      priority: u32,
      table: u32,
      from: fc.option(
        fc.tuple(family === 4 ? ip4 : ip6, fc.integer({ min: 1, max: 32 })).map(([a, length]) => makePrefix(a, length)),
        { nil: undefined },
      ),
      mark: fc.option(fc.record({ value: fc.nat(), mask: fc.nat() }), { nil: undefined }),
      invert: fc.option(fc.constant(true), { nil: undefined }),
      protocol: fc.option(fc.integer({ min: 1, max: 255 }), { nil: undefined }),
    }),
  );

  test("another codec sees the rule that is asked for, and our own reads it back", () => {
    fc.assert(
      fc.property(rule, (rule) => {
        const message = encoded((writer) => encodeRuleAdd(writer, 1, rule));
        const oracle = parseRuleMessage(Buffer.from(message.payload));
        expect(oracle.attrs.priority).toBe(rule.priority);
        expect(oracle.attrs.table).toBe(rule.table);
        expect(oracle.data.srcLen).toBe(rule.from?.length ?? 0);
        expect(hex(oracle.attrs.src)).toBe(hex(rule.from === undefined ? undefined : ipBytes(rule.from.address)));
        expect(value(decodeRule(message))).toEqual(rule);
      }),
    );
  });
});

test("any payload is decoded or refused, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(2, 10), (bytes, family) => {
      const payload = Uint8Array.from([family, ...bytes]);
      const message = { type: 16, flags: 0, sequence: 1, port: 0, payload };
      for (const decode of [decodeLink, decodeAddress, decodeRule]) decode(message);
      decodeRoute(message, { family: 4, table: 0 });
    }),
    { numRuns: 1000 },
  );
});
