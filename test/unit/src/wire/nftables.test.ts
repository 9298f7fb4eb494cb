import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Ip, ipFromBytes } from "../../../../src/base/ip.ts";
import { decodeMessages, type NetlinkMessage } from "../../../../src/wire/netlink.ts";
import {
  decodeElementList,
  decodeRule,
  decodeTableName,
  NftMessage,
  nftMessageOf,
} from "../../../../src/wire/nftables.ts";
import { NftBatch } from "../../../../src/wire/nftables-batch.ts";
import type { FieldValue, SetElement } from "../../../../src/wire/nftables-element.ts";
import type { Expression } from "../../../../src/wire/nftables-expression.ts";
import { isSameRule } from "../../../../src/wire/nftables-rule-match.ts";
import type { FieldType, SetSpec } from "../../../../src/wire/nftables-set.ts";

const ACK = 0x4;

function messagesOf(fill: (batch: NftBatch) => void): readonly NetlinkMessage[] {
  const batch = new NftBatch();
  batch.begin();
  fill(batch);
  const decoded = decodeMessages(batch.end().bytes.slice());
  if (!decoded.ok) throw new Error(decoded.error.why);
  return decoded.value;
}

const VALUES: Readonly<Record<FieldType, fc.Arbitrary<FieldValue>>> = {
  ipv4_addr: fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes),
  ipv6_addr: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes),
  inet_proto: fc.integer({ min: 0, max: 255 }),
  inet_service: fc.integer({ min: 0, max: 65_535 }),
  integer: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  iface_index: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
};
const fields = fc.array(fc.constantFrom(...(Object.keys(VALUES) as FieldType[])), { minLength: 1, maxLength: 5 });
const valuesOf = (types: readonly FieldType[]) => fc.tuple(...types.map((type) => VALUES[type]));

const mapWithElements = fc.tuple(fields, fields).chain(([key, data]) => {
  const element: fc.Arbitrary<SetElement> = fc.record({ key: valuesOf(key), data: valuesOf(data) });
  return fc.tuple(fc.constant<SetSpec>({ name: "m", key, data }), fc.array(element, { maxLength: 20 }));
});

function decodeAll(messages: readonly NetlinkMessage[], spec: SetSpec): readonly SetElement[] {
  return messages.flatMap((message) => {
    if (nftMessageOf(message.type) !== NftMessage.newElement) return [];
    const list = decodeElementList(message, spec);
    if (!list.ok) throw new Error(list.error.why);
    return [...list.value];
  });
}

describe("the elements of a map", () => {
  test("come back as they went, whatever the types of key and value", () => {
    fc.assert(
      fc.property(mapWithElements, ([spec, elements]) => {
        const messages = messagesOf((batch) => batch.addElements(4, "t", spec, elements));
        expect(decodeAll(messages, spec)).toEqual([...elements]);
      }),
    );
  });

  test("come back with verdicts, ranges and ends of ranges", () => {
    const ports: SetSpec = { name: "v", key: ["inet_proto", "inet_service"], data: "verdict" };
    const verdicts: readonly SetElement[] = [
      { key: [6, 80], verdict: { kind: "goto", chain: "lb-2" } },
      { key: [6, 81], verdict: { kind: "goto", chain: "lb-2" } },
      { key: [17, 53], verdict: { kind: "jump", chain: "remember-10800" } },
      { key: [17, 54], verdict: { kind: "drop" } },
    ];
    expect(
      decodeAll(
        messagesOf((b) => b.addElements(6, "t", ports, verdicts)),
        ports,
      ),
    ).toEqual([...verdicts]);
    const sources: SetSpec = { name: "r", key: ["inet_service", "ipv4_addr"], interval: true };
    const ranges = [{ key: [80, "10.0.0.0" as Ip], keyEnd: [80, "10.255.255.255" as Ip] }];
    expect(
      decodeAll(
        messagesOf((b) => b.addElements(4, "t", sources, ranges)),
        sources,
      ),
    ).toEqual(ranges);
    const cidrs: SetSpec = { name: "c", key: ["ipv4_addr"], interval: true };
    const pair = [{ key: ["10.0.0.0" as Ip] }, { key: ["11.0.0.0" as Ip], ends: true }];
    expect(
      decodeAll(
        messagesOf((b) => b.addElements(4, "t", cidrs, pair)),
        cidrs,
      ),
    ).toEqual(pair);
  });

  test("are divided into messages whose lists fit the 16 bits of their length", () => {
    const spec: SetSpec = { name: "m", key: ["ipv6_addr", "integer"], data: ["ipv6_addr", "inet_service"] };
    const elements = Array.from({ length: 5000 }, (_, i) => ({
      key: ["fd00::1" as Ip, i],
      data: ["fd00::2" as Ip, 80],
    }));
    const messages = messagesOf((batch) => batch.addElements(6, "t", spec, elements));
    expect(messages.length).toBeGreaterThan(6);
    for (const { payload } of messages) expect(payload.length).toBeLessThan(65_536);
    expect(decodeAll(messages, spec)).toEqual(elements);
  });

  test("are keys alone when they are deleted", () => {
    const spec: SetSpec = { name: "m", key: ["inet_service"], data: ["inet_service"] };
    const messages = messagesOf((batch) => batch.deleteElements(4, "t", spec, [{ key: [80], data: [8080] }]));
    const message = messages.find((m) => nftMessageOf(m.type) === NftMessage.deleteElement);
    if (message === undefined) throw new Error("no message deletes");
    expect(decodeElementList(message, spec)).toEqual({ ok: true, value: [{ key: [80] }] });
  });
});

describe("a batch", () => {
  test("is numbered, and only its last message proper asks for an acknowledgement", () => {
    const batch = new NftBatch();
    batch.begin(77);
    batch.addTable(4, "t", "a comment");
    batch.addChain(4, "t", "c");
    expect(batch.size).toBe(2);
    const { bytes, acknowledged } = batch.end();
    const decoded = decodeMessages(bytes);
    const messages = decoded.ok ? decoded.value : [];
    expect(messages.map((m) => m.sequence)).toEqual([0, 1, 2, 3]);
    expect(messages.map((m) => (m.flags & ACK) !== 0)).toEqual([false, false, true, false]);
    expect(acknowledged).toBe(2);
    // NFNL_BATCH_GENID (1), four bytes in network order.
    expect([...(messages[0]?.payload ?? [])]).toEqual([0, 0, 0, 10, 8, 0, 1, 0, 0, 0, 0, 77]);
  });

  test("says of each message which table it is about", () => {
    const messages = messagesOf((batch) => {
      batch.addTable(4, "mine", "");
      batch.addChain(4, "mine", "c");
      batch.addRule(4, "mine", "c", [{ name: "masquerade" }]);
      batch.addSet(4, "mine", { name: "s", key: ["ipv4_addr"] });
      batch.deleteChain(4, "mine", "c");
    });
    const tables = messages.slice(1, -1).map((message) => decodeTableName(message));
    expect(tables).toEqual(tables.map(() => ({ ok: true, value: "mine" })));
    expect(tables).toHaveLength(6);
  });
});

describe("a rule", () => {
  const rule: readonly Expression[] = [
    { name: "meta", register: 1, key: "l4proto" },
    { name: "cmp", register: 1, equal: true, value: Uint8Array.of(6) },
    { name: "lookup", register: 1, set: "services", into: 0 },
  ];
  function dump(expressions: readonly Expression[]): Uint8Array {
    const messages = messagesOf((batch) => batch.addRule(4, "t", "c", expressions));
    const message = messages.find((m) => nftMessageOf(m.type) === NftMessage.newRule);
    const decoded = message === undefined ? undefined : decodeRule(message);
    return decoded?.ok ? decoded.value.expressions : new Uint8Array();
  }

  test("is itself, and none that differs in a value, in order or in number", () => {
    expect(isSameRule(rule, dump(rule))).toBe(true);
    const [meta, compare, find] = rule;
    if (meta === undefined || compare === undefined || find === undefined) throw new Error("a rule has three");
    const others: readonly (readonly Expression[])[] = [
      [],
      [meta, compare],
      [compare, meta, find],
      [meta, { name: "cmp", register: 1, equal: false, value: Uint8Array.of(6) }, find],
      [meta, { name: "cmp", register: 1, equal: true, value: Uint8Array.of(17) }, find],
      [meta, compare, { name: "lookup", register: 1, set: "other", into: 0 }],
      [meta, compare, { name: "immediate", verdict: { kind: "drop" } }],
    ];
    for (const other of others) expect(isSameRule(rule, dump(other))).toBe(false);
  });
});

test("whatever bytes come as a netfilter message, decoding neither throws nor reads outside", () => {
  const spec: SetSpec = { name: "m", key: ["ipv6_addr", "inet_service"], data: "verdict" };
  const [real] = messagesOf((batch) =>
    batch.addElements(6, "t", spec, [{ key: ["fd00::1" as Ip, 80], verdict: { kind: "goto", chain: "lb-1" } }]),
  ).slice(1);
  const start = real?.payload ?? new Uint8Array();
  const broken = fc.tuple(
    fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { maxLength: 6 }),
    fc.nat(start.length),
  );
  fc.assert(
    fc.property(broken, ([changes, length]) => {
      const payload = start.slice(0, length);
      for (const [at, byte] of changes) if (at < payload.length) payload[at] = byte;
      const message = { type: 0, flags: 0, sequence: 0, port: 0, payload };
      for (const decode of [
        () => decodeElementList(message, spec),
        () => decodeRule(message),
        () => decodeTableName(message),
      ]) {
        expect(decode().ok).toBeBoolean();
      }
      expect(isSameRule([{ name: "masquerade" }], payload)).toBeBoolean();
    }),
    { numRuns: 2000 },
  );
});
