import { describe, expect, test } from "bun:test";
import type { FilterRule } from "../../../../src/wire/filter-rule.ts";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";
import type { TableFamily } from "../../../../src/wire/nftables.ts";
import { type Expression, encodeExpression } from "../../../../src/wire/nftables-expression.ts";
import { decodeFilterRule } from "../../../../src/wire/nftables-filter-rule.ts";
import {
  accept,
  counter,
  drop,
  goTo,
  jump,
  matchEstablished,
  matchFamily,
  matchLink,
  matchPort,
  returnToCaller,
} from "../../../../src/wire/nftables-statement.ts";
import { prefix } from "../../../support/network-objects.ts";

/** An expression that this program never writes: its name, and the body of NFTA_EXPR_DATA. */
type Foreign = readonly [name: string, body: (writer: NetlinkWriter) => void];

function bytesOf(parts: readonly (Expression | Foreign)[]): Uint8Array {
  const writer = new NetlinkWriter(1024);
  for (const part of parts) {
    if (!Array.isArray(part)) {
      encodeExpression(writer, part as Expression);
      continue;
    }
    const [name, body] = part as Foreign;
    const element = writer.beginNested(1);
    writer.attrText(1, name);
    const data = writer.beginNested(2);
    body(writer);
    writer.endNested(data);
    writer.endNested(element);
  }
  return writer.bytes().slice();
}

function decoded(parts: readonly (Expression | Foreign)[], family: TableFamily = 4): FilterRule {
  const rule = decodeFilterRule(bytesOf(parts), family);
  if (!rule.ok) throw new Error(rule.error.why);
  return rule.value;
}

const conditions = (parts: readonly (Expression | Foreign)[], family?: TableFamily) =>
  decoded(parts, family).conditions;
const named = (name: string): Foreign => [name, (writer) => writer.attrText(1, name)];
const xt = (kind: "match" | "target", name: string): Foreign => [kind, (writer) => writer.attrText(1, name)];
const meta = (key: "iifname" | "oifname" | "mark"): Expression => ({ name: "meta", register: 1, key });
const payload = (offset: number, length: number): Expression => ({
  ...{ name: "payload", register: 1, base: "network", offset, length },
});
const mask = (...bytes: readonly number[]): Expression => ({
  ...{ name: "bitwise", register: 1, mask: Uint8Array.from(bytes) },
});
const is = (equal: boolean, ...bytes: readonly number[]): Expression => ({
  ...{ name: "cmp", register: 1, equal, value: Uint8Array.from(bytes) },
});
/** `<< 8`, in place. */
const SHIFT: Foreign = [
  "bitwise",
  (writer) => {
    writer.attrU32be(1, 1);
    writer.attrU32be(2, 1);
    writer.attrU32be(6, 1);
  },
];
/** `& 255.255.255.0 ^ 1.0.0.0`, in place. */
const FLIP: Foreign = [
  "bitwise",
  (writer) => {
    writer.attrU32be(1, 1);
    writer.attrU32be(2, 1);
    for (const [type, bytes] of [
      [4, [255, 255, 255, 0]],
      [5, [1, 0, 0, 0]],
    ] as const) {
      const nested = writer.beginNested(type);
      writer.attrBytes(1, Uint8Array.from(bytes));
      writer.endNested(nested);
    }
  },
];
const text = (name: string) => [...new TextEncoder().encode(name)];
const unclear = { kind: "unclear" };

describe("a rule's verdict", () => {
  test.each([
    ["accept", accept, { kind: "accept" }],
    ["drop", drop, { kind: "drop" }],
    ["return", returnToCaller, { kind: "return" }],
    ["jump", jump("DOCKER-USER"), { kind: "jump", chain: "DOCKER-USER" }],
    ["goto", goTo("public"), { kind: "goto", chain: "public" }],
    ["reject", { name: "reject", how: "tcp-reset", family: 4 }, { kind: "drop" }],
  ] as const)("is %s", (_, expression, verdict) => {
    expect(decoded([counter, expression])).toEqual({ conditions: [], verdict });
  });

  test("is an extension's of iptables, by its name", () => {
    expect(decoded([xt("target", "REJECT")]).verdict).toEqual({ kind: "drop" });
    expect(decoded([xt("target", "LOG")])).toEqual({ conditions: [], verdict: undefined });
    expect(decoded([xt("target", "NFQUEUE")]).verdict).toEqual({ kind: "unclear" });
  });

  test("is unclear of a queue, and of a map but that of states", () => {
    expect(decoded([named("queue")]).verdict).toEqual({ kind: "unclear" });
    const byMap: Expression = { name: "lookup", register: 1, set: "m", into: 0 };
    expect(decoded([meta("iifname"), byMap]).verdict).toEqual({ kind: "unclear" });
    const state: Expression = { name: "ct", register: 1, key: "state", original: false };
    expect(decoded([state, byMap])).toEqual({ conditions: [{ kind: "unclear" }], verdict: undefined });
  });

  test("is none where it only counts, logs or marks", () => {
    expect(decoded([counter, named("log"), named("last")])).toEqual({ conditions: [], verdict: undefined });
    const setMark: Foreign = ["meta", (writer) => writer.attrU32be(3, 1)];
    expect(decoded([setMark, accept])).toEqual({ conditions: [], verdict: { kind: "accept" } });
  });
});

describe("a rule's conditions", () => {
  test("are links, as nft and as iptables-nft write their names", () => {
    const link = { kind: "link", end: "in", name: "br-fabedge", wildcard: false, inverted: false };
    expect(conditions(matchLink("iifname", "br-fabedge"))).toEqual([link] as never);
    expect(conditions([meta("iifname"), is(true, ...text("br-fabedge"), 0)])).toEqual([link] as never);
    expect(conditions(matchLink("oifname", "docker0", false))).toEqual([
      { kind: "link", end: "out", name: "docker0", wildcard: false, inverted: true },
    ]);
    expect(conditions([meta("oifname"), is(true, ...text("br-"))])).toEqual([
      { kind: "link", end: "out", name: "br-", wildcard: true, inverted: false },
    ]);
  });

  test("are prefixes, whole, by bytes and by a mask", () => {
    const source = (given: string, inverted = false) => [
      { kind: "address", end: "source", prefix: prefix(given), inverted } as const,
    ];
    expect(conditions([payload(12, 4), is(true, 10, 1, 7, 4)])).toEqual(source("10.1.7.4/32"));
    expect(conditions([payload(12, 2), is(false, 10, 244)])).toEqual(source("10.244.0.0/16", true));
    expect(conditions([payload(12, 4), mask(255, 255, 240, 0), is(true, 10, 1, 16, 0)])).toEqual(
      source("10.1.16.0/20"),
    );
    expect(conditions([payload(12, 4), mask(255, 255, 240, 0), is(true, 10, 1, 17, 0)])).toEqual([unclear] as never);
    expect(conditions([payload(12, 4), mask(255, 0, 255, 0), is(true, 10, 0, 7, 0)])).toEqual([unclear] as never);
    expect(conditions([payload(16, 3), is(true, 10, 1, 7)])).toEqual([
      { kind: "address", end: "destination", prefix: prefix("10.1.7.0/24"), inverted: false },
    ]);
    expect(conditions([payload(24, 8), is(true, 0xfd, 0, 0, 7, 0, 0, 0, 0)], 6)).toEqual([
      { kind: "address", end: "destination", prefix: prefix("fd00:7::/64"), inverted: false },
    ]);
  });

  test("are of the family that a table of both asks for first, and unclear where it does not", () => {
    const family = { kind: "family", family: 6, inverted: false } as const;
    const source = [payload(8, 2), is(true, 0xfd, 0)];
    expect(conditions([...matchFamily(6), ...source], "inet")).toEqual([
      family,
      { kind: "address", end: "source", prefix: prefix("fd00::/16"), inverted: false },
    ]);
    expect(conditions(source, "inet")).toEqual([unclear] as never);
    expect(conditions([...matchFamily(4), ...source], "inet")).toEqual([{ ...family, family: 4 }, unclear] as never);
  });

  test.each([
    ["states of connections", matchEstablished()],
    ["a mark", [meta("mark"), is(true, 1, 0, 0, 0)]],
    ["a set", [meta("iifname"), { name: "lookup", register: 1, set: "links" } as const]],
    ["an extension of iptables", [xt("match", "conntrack")]],
    ["a limit", [named("limit")]],
    ["both addresses at once", [payload(12, 8), is(true, 10, 1, 7, 1, 10, 1, 7, 2)]],
    ["a register that something else has written to", [meta("iifname"), named("osf"), is(true, ...text("br0"), 0)]],
    ["less than was loaded", [payload(12, 4), is(true, 10, 1)]],
    ["bits that are flipped", [payload(12, 4), FLIP, is(true, 10, 1, 7, 0)]],
    ["bits that are shifted", [payload(12, 4), SHIFT, is(true, 10, 1, 7, 4)]],
  ] as const)("are unclear of %s", (_, expressions) => {
    const { conditions: found, verdict } = decoded([...expressions, accept]);
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(["unclear"]));
    expect(verdict).toEqual({ kind: "accept" });
  });

  test("are all of them, each of what was loaded last", () => {
    const [port, ...more] = [...matchPort("tcp", "dport", 80), ...matchLink("iifname", "br0")];
    const found = conditions(port === undefined ? [] : [port, ...more, accept]);
    expect(found.map(({ kind }) => kind)).toEqual(["unclear", "unclear", "link"]);
  });

  test("do not count an administrator's comment", () => {
    expect(decoded([xt("match", "comment"), counter, accept])).toEqual({ conditions: [], verdict: { kind: "accept" } });
  });
});

test("what is cut short is refused", () => {
  const bytes = bytesOf([...matchLink("iifname", "br0"), accept]);
  expect(decodeFilterRule(bytes.subarray(0, bytes.length - 5), 4).ok).toBe(false);
});
