import { describe, expect, test } from "bun:test";
import * as oracle from "dns-packet";
import fc from "fast-check";
import { Rcode, RecordType } from "../../../../src/wire/dns.ts";
import { decodeMessage, encodeQuery } from "../../../../src/wire/dns-message.ts";
import { type DnsName, formatName, latin1, lowerName, nameFromLabels } from "../../../../src/wire/dns-name.ts";
import { QueryReader, Verdict } from "../../../../src/wire/dns-query.ts";
import { anyName, hostName } from "../../../support/dns-arbitraries.ts";

const NAME = nameFromLabels(["www", "example", "com"]);
const reader = new QueryReader(7);

function query(type: number = RecordType.A, name = NAME): Uint8Array {
  return encodeQuery(0x1234, { name, type, class: 1 }, { dnssecOk: true, checkingDisabled: false, udpBytes: 4096 });
}

function changed(at: number, ...bytes: readonly number[]): Uint8Array {
  const packet = query();
  packet.set(bytes, at);
  return packet;
}

/** Four labels of 62 bytes make 252 with their lengths; one of two makes 255, and the root's 256. */
function longQuery(): Uint8Array {
  const labels = [62, 62, 62, 62, 2].flatMap((length) => [length, ...new Uint8Array(length).fill(0x61)]);
  return Uint8Array.of(...query().subarray(0, 12), ...labels, 0, 0, 1, 0, 1, ...query().subarray(OPT_AT));
}

function nameRead(): DnsName {
  return latin1(reader.name, 0, reader.nameBytes) as DnsName;
}

const OPT_AT = 12 + NAME.length + 4;

describe("the query reader", () => {
  test("reads any name in lower case, and the rest as it is", () => {
    fc.assert(
      fc.property(anyName, fc.integer({ min: 1, max: 248 }), (name, type) => {
        fc.pre(type !== RecordType.OPT);
        expect(reader.read(query(type, name))).toBe(Verdict.Ask);
        expect(nameRead()).toBe(lowerName(name));
        expect([reader.id, reader.type, reader.questionEnd]).toEqual([0x1234, type, 12 + name.length + 4]);
        expect([reader.hasEdns, reader.udpBytes, reader.dnssecOk]).toEqual([true, 4096, true]);
      }),
    );
  });

  test("reads the queries of dns-packet, with options and without EDNS", () => {
    fc.assert(
      fc.property(hostName, fc.boolean(), fc.uint8Array({ maxLength: 20 }), (name, edns, data) => {
        const opt = {
          name: ".",
          type: "OPT",
          udpPayloadSize: 900,
          flags: 0,
          options: [{ code: 10, data: Buffer.from(data) }],
        };
        const questions = [{ name: formatName(name), type: "AAAA" }];
        const packet = oracle.encode({ id: 5, type: "query", flags: 256, questions, additionals: edns ? [opt] : [] });
        expect(reader.read(packet)).toBe(Verdict.Ask);
        expect([nameRead(), reader.type, reader.hasEdns]).toEqual([lowerName(name), RecordType.AAAA, edns]);
        expect([reader.udpBytes, reader.dnssecOk]).toEqual([edns ? 900 : 512, false]);
      }),
    );
  });

  test("gives one name one hash in every letter case, and another to another type", () => {
    reader.read(query(1, nameFromLabels(["WWW", "Example", "com"])));
    const first = reader.hash;
    reader.read(query(1));
    expect(reader.hash).toBe(first);
    reader.read(query(28));
    expect(reader.hash).not.toBe(first);
    const other = new QueryReader(8);
    other.read(query(1));
    expect(other.hash).not.toBe(first);
  });

  test("says nothing to a response, and to what is too short to answer", () => {
    expect(reader.read(changed(2, 0x81))).toBe(Verdict.Drop);
    expect(reader.read(query().subarray(0, 11))).toBe(Verdict.Drop);
    expect(reader.read(new Uint8Array(0))).toBe(Verdict.Drop);
  });

  test.each([
    ["another opcode", changed(2, 0x29), Rcode.NotImp, false],
    ["no question", changed(4, 0, 0), Rcode.FormErr, false],
    ["two questions", changed(4, 0, 2), Rcode.FormErr, false],
    ["an answer", changed(6, 0, 1), Rcode.FormErr, false],
    ["an authority", changed(8, 0, 1), Rcode.FormErr, false],
    ["many additional records", changed(10, 0, 5), Rcode.FormErr, false],
    ["one additional record too many", changed(10, 0, 2), Rcode.FormErr, false],
    ["a compressed name", changed(12, 0xc0, 4), Rcode.FormErr, false],
    ["a label of a reserved type", changed(12, 0x43), Rcode.FormErr, false],
    ["a name past the end", query().subarray(0, 20), Rcode.FormErr, false],
    ["a name of 256 bytes", longQuery(), Rcode.FormErr, false],
    ["a question past the end", query().subarray(0, OPT_AT - 1), Rcode.FormErr, false],
    ["an OPT record past the end", query().subarray(0, OPT_AT + 5), Rcode.FormErr, false],
    [
      "an OPT record with a name",
      changed(10, 0, 1, ...NAME.split("").map((c) => c.charCodeAt(0)), 0, 1, 0, 1, 1),
      Rcode.FormErr,
      false,
    ],
    ["half an EDNS option", Uint8Array.of(...changed(OPT_AT + 9, 0, 3), 0, 10, 0), Rcode.FormErr, false],
    ["EDNS of a later version", changed(OPT_AT + 6, 1), Rcode.BadVers, true],
    ["class CHAOS", changed(OPT_AT - 1, 3), Rcode.Refused, true],
    ["class ANY", changed(OPT_AT - 1, 255), Rcode.Refused, true],
    ["AXFR", query(RecordType.AXFR), Rcode.Refused, true],
    ["IXFR", query(RecordType.IXFR), Rcode.Refused, true],
    ["type 0", query(0), Rcode.FormErr, true],
    ["type OPT", query(RecordType.OPT), Rcode.FormErr, true],
    ["type TSIG", query(RecordType.TSIG), Rcode.NotImp, true],
  ])("refuses %s", (_, packet, rcode, echoes) => {
    expect(reader.read(packet)).toBe(Verdict.Refuse);
    expect([reader.rcode, reader.questionEnd > 0]).toEqual([rcode, echoes]);
  });

  test("ignores bytes after the last record", () => {
    expect(reader.read(Uint8Array.of(...query(), 1, 2, 3))).toBe(Verdict.Ask);
  });

  test("takes what EDNS says below 512 as 512 (RFC 6891)", () => {
    reader.read(changed(OPT_AT + 3, 0, 100));
    expect(reader.udpBytes).toBe(512);
  });

  test("knows nothing of the query before", () => {
    reader.read(query());
    reader.read(oracle.encode({ type: "query", questions: [{ name: "a", type: "A" }] }));
    expect([reader.hasEdns, reader.udpBytes, reader.dnssecOk, nameRead()]).toEqual([
      false,
      512,
      false,
      nameFromLabels(["a"]),
    ]);
  });

  test("accepts only what the whole decoder reads the same way, whatever the bytes", () => {
    fc.assert(
      fc.property(
        hostName,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
        fc.nat(40),
        (name, changes, cut) => {
          const packet = query(1, name);
          for (const [at, value] of changes) packet[at % packet.length] = value;
          const bytes = cut < 4 ? packet.subarray(0, packet.length - cut) : packet;
          if (reader.read(bytes) !== Verdict.Ask) return;
          const message = decodeMessage(bytes);
          if (!message.ok) {
            // A record that is not OPT is stepped over, and its data may be wrong for its type.
            expect([reader.hasEdns, message.error.at]).toEqual([false, expect.any(Number)]);
            return;
          }
          expect(lowerName(message.value.questions[0]?.name ?? NAME)).toBe(nameRead());
          expect(message.value.edns !== undefined).toBe(reader.hasEdns);
        },
      ),
    );
  });
});
