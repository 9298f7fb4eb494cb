import { describe, expect, test } from "bun:test";
import * as oracle from "dns-packet";
import DnsOracle from "dns2";
import fc from "fast-check";
import { ipFromBytes } from "../../../../src/base/ip.ts";
import { Flag, HEADER_BYTES, RecordType } from "../../../../src/wire/dns.ts";
import { encodeOpt, extendedErrors } from "../../../../src/wire/dns-edns.ts";
import { decodeMessage, encodeQuery, type Message, writeLatin1 } from "../../../../src/wire/dns-message.ts";
import { type DnsName, formatName, lowerName, nameFromLabels } from "../../../../src/wire/dns-name.ts";
import { formatRecordData, type ResourceRecord, soaMinimumSeconds } from "../../../../src/wire/dns-record.ts";
import { RecordWriter } from "../../../../src/wire/dns-writer.ts";
import { anyName, hostName, record } from "../../../support/dns-arbitraries.ts";

/** A response as the server makes it, all records answers. */
function encodeResponse(question: DnsName, records: readonly ResourceRecord[]): Uint8Array {
  const writer = new RecordWriter(question);
  for (const one of records) expect(writer.write(one)).toBe(true);
  const body = writer.finish();
  const bytes = new Uint8Array(HEADER_BYTES + question.length + 4 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, Flag.Response);
  view.setUint16(4, 1);
  view.setUint16(6, records.length);
  writeLatin1(bytes, HEADER_BYTES, question);
  view.setUint32(HEADER_BYTES + question.length, (RecordType.A << 16) | 1);
  bytes.set(body, HEADER_BYTES + question.length + 4);
  return bytes;
}

function decoded(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes);
  if (!message.ok) throw new Error(`${message.error.why} at ${message.error.at}`);
  return message.value;
}

/** Letter case of a compressed name is that of the place pointed to. */
function folded(one: ResourceRecord): ResourceRecord {
  return { ...one, name: lowerName(one.name), names: one.names.map(lowerName) };
}

/** How dns-packet shows the data of our record, folded. */
function oracleData(one: ResourceRecord): unknown {
  const [first, second] = one.names.map((name) => formatName(name).toLowerCase());
  const view = new DataView(one.fixed.buffer, one.fixed.byteOffset, one.fixed.length);
  const rest = new DataView(one.rest.buffer, one.rest.byteOffset, one.rest.length);
  switch (one.type) {
    case RecordType.SRV:
      return { priority: view.getUint16(0), weight: view.getUint16(2), port: view.getUint16(4), target: first };
    case RecordType.SOA:
      return {
        mname: first,
        rname: second,
        serial: rest.getUint32(0),
        refresh: rest.getUint32(4),
        retry: rest.getUint32(8),
        expire: rest.getUint32(12),
        minimum: rest.getUint32(16),
      };
    case RecordType.TXT:
      return [Buffer.from(one.rest.subarray(1)).toString("latin1").toLowerCase()];
    case RecordType.A:
      return ipFromBytes(one.rest);
    case RecordType.AAAA:
      return Buffer.from(one.rest).toString("hex");
    default:
      return first;
  }
}

function foldedOracle(type: string, data: unknown): unknown {
  if (type === "TXT") return (data as Buffer[]).map((text) => text.toString("latin1").toLowerCase());
  // dns-packet shortens IPv6 addresses in a way of its own: compare the bytes.
  if (type === "AAAA") {
    const url = new URL(`http://[${data}]/`).hostname.slice(1, -1);
    const [head = "", tail] = url.split("::");
    const groups = (text: string) => (text === "" ? [] : text.split(":"));
    const all =
      tail === undefined
        ? groups(head)
        : [...groups(head), ...Array(8 - groups(head).length - groups(tail).length).fill("0"), ...groups(tail)];
    return all.map((group) => group.padStart(4, "0")).join("");
  }
  return JSON.parse(JSON.stringify(data).toLowerCase());
}

const records = fc.array(record, { maxLength: 12 });

describe("a response", () => {
  test("is read again as it was written", () => {
    fc.assert(
      fc.property(hostName, records, (question, list) => {
        const message = decoded(encodeResponse(question, list));
        expect(message.questions).toEqual([{ name: question, type: 1, class: 1 }]);
        expect(message.answers.map(folded)).toEqual(list.map(folded));
      }),
    );
  });

  test("says the same to dns-packet", () => {
    fc.assert(
      fc.property(hostName, records, (question, list) => {
        const answers = oracle.decode(Buffer.from(encodeResponse(question, list))).answers ?? [];
        expect(answers.map((a) => [a.name.toLowerCase(), a.ttl, foldedOracle(a.type, a.data)])).toEqual(
          list.map((one) => [formatName(one.name).toLowerCase(), one.ttl, oracleData(one)]),
        );
      }),
    );
  });

  test("says the same names, types and addresses to dns2", () => {
    fc.assert(
      fc.property(hostName, records, (question, list) => {
        const { answers } = DnsOracle.Packet.parse(Buffer.from(encodeResponse(question, list)));
        expect(answers.map((a) => [a.name.toLowerCase(), a.type, a.ttl])).toEqual(
          list.map((one) => [formatName(one.name).toLowerCase(), one.type, one.ttl]),
        );
        const addresses = answers.filter((a) => a.type === RecordType.A).map((a) => a.address);
        expect(addresses).toEqual(list.filter((one) => one.type === RecordType.A).map((one) => ipFromBytes(one.rest)));
      }),
    );
  });

  test("of dns-packet's is read as it was meant", () => {
    fc.assert(
      fc.property(hostName, records, (question, list) => {
        const names: Readonly<Record<number, string>> = {
          1: "A",
          2: "NS",
          5: "CNAME",
          6: "SOA",
          12: "PTR",
          16: "TXT",
          28: "AAAA",
          33: "SRV",
        };
        const answers = list.map((one) => {
          const data = one.type === RecordType.AAAA ? ipFromBytes(one.rest) : oracleData(one);
          return { name: formatName(one.name), type: names[one.type] ?? "", ttl: one.ttl, data };
        });
        const bytes = oracle.encode({
          type: "response",
          questions: [{ name: formatName(question), type: "A" }],
          answers,
        });
        const lowerText = (one: ResourceRecord) =>
          one.type === RecordType.TXT
            ? { ...one, rest: Uint8Array.from(one.rest, (c, i) => (i > 0 && c >= 65 && c <= 90 ? c + 32 : c)) }
            : one;
        expect(decoded(bytes).answers.map(folded)).toEqual(list.map(folded).map(lowerText));
      }),
    );
  });

  test("repeats no suffix that it can point to", () => {
    const zone = nameFromLabels(["svc", "cluster", "local"]);
    const question = nameFromLabels(["web", "shop"], zone);
    const glue = nameFromLabels(["db", "shop"], zone);
    const data = { fixed: new Uint8Array(0), names: [], rest: Uint8Array.of(10, 0, 0, 1) };
    const one = (name: DnsName) => ({ name, type: 1, class: 1, ttl: 5, ...data });
    // A pointer; a label and a pointer; then again a pointer.
    expect(encodeResponse(question, [one(question)]).length).toBe(12 + question.length + 4 + 16);
    expect(encodeResponse(question, [one(glue)]).length).toBe(12 + question.length + 4 + 3 + 16);
    expect(encodeResponse(question, [one(glue), one(glue)]).length).toBe(12 + question.length + 4 + 3 + 16 + 16);
  });

  test("stops before 65,535 bytes, and points at nothing that it took back", () => {
    const writer = new RecordWriter(nameFromLabels(["big"]));
    const one = (labels: readonly string[], rest: Uint8Array) => ({
      name: nameFromLabels(labels),
      type: 9999,
      class: 1,
      ttl: 1,
      fixed: new Uint8Array(0),
      names: [],
      rest,
    });
    const large = new Uint8Array(65_500);
    expect(writer.write(one(["a", "big"], large.subarray(0, 4)))).toBe(true);
    expect(writer.write(one(["b", "big"], large))).toBe(false);
    expect(writer.write(one(["c", "b", "big"], large.subarray(0, 4)))).toBe(true);
    // "a" and "c.b", each with a pointer to "big".
    expect(writer.finish().length).toBe(2 + 2 + 10 + 4 + (4 + 2 + 10 + 4));
  });
});

describe("a query of ours", () => {
  test("says the same to dns-packet, with EDNS", () => {
    fc.assert(
      fc.property(hostName, fc.nat(0xffff), fc.boolean(), (name, id, dnssecOk) => {
        const question = { name, type: RecordType.AAAA, class: 1 };
        const bytes = encodeQuery(id, question, { dnssecOk, checkingDisabled: false, udpBytes: 1232 });
        const { additionals = [], ...packet } = oracle.decode(Buffer.from(bytes));
        expect(packet).toMatchObject({ id, type: "query", questions: [{ name: formatName(name), type: "AAAA" }] });
        expect(additionals[0]).toMatchObject({ type: "OPT", udpPayloadSize: 1232, flags: dnssecOk ? 0x8000 : 0 });
      }),
    );
  });
});

describe("hostile bytes", () => {
  const good = encodeResponse(nameFromLabels(["a", "example"]), []);

  test("are a result and no exception", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void decodeMessage(bytes)));
  });

  test("that were a response before some of them changed are a result, too", () => {
    fc.assert(
      fc.property(
        hostName,
        records,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
        (question, list, changes) => {
          const bytes = encodeResponse(question, list);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          const message = decodeMessage(bytes.subarray(0, bytes.length - ((changes[0]?.[0] ?? 0) % 3)));
          if (message.ok) expect(message.value.answers.every((one) => one.name.length <= 255)).toBe(true);
        },
      ),
    );
  });

  test("that count more records than they can hold are refused before anything is read", () => {
    const bytes = good.slice();
    bytes[6] = 0xff;
    expect(decodeMessage(bytes)).toMatchObject({ ok: false, error: { why: "counts are larger than the message" } });
  });

  test.each([
    ["an address of three bytes", [1, 0x61, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 3, 1, 2, 3]],
    ["a name that runs past its record", [1, 0x61, 0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0x61, 0]],
    ["an SRV without a target", [1, 0x61, 0, 0, 33, 0, 1, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0]],
    ["data past the end", [1, 0x61, 0, 0, 16, 0, 1, 0, 0, 0, 1, 0, 9, 1]],
    ["OPT among the answers", [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]],
  ])("with %s are refused", (_, bytes) => {
    const message = Uint8Array.of(...good, ...bytes);
    message[7] = 1;
    expect(decodeMessage(message).ok).toBe(false);
  });

  test("after the last record are ignored", () => {
    expect(decodeMessage(Uint8Array.of(...good, 1, 2, 3)).ok).toBe(true);
  });
});

describe("a record", () => {
  test("of an unknown type keeps its bytes and is shown as RFC 3597 has it", () => {
    fc.assert(
      fc.property(anyName, fc.uint8Array({ maxLength: 40 }), (name, rest) => {
        const one = { name, type: 65_280, class: 1, ttl: 1, fixed: new Uint8Array(0), names: [], rest };
        const [read] = decoded(encodeResponse(name, [one])).answers;
        expect(read?.rest).toEqual(rest);
        expect(formatRecordData(one)).toBe(`\\# ${rest.length} ${Buffer.from(rest).toString("hex")}`);
      }),
    );
  });

  test("says how long a negative answer may be kept only if it is an SOA", () => {
    fc.assert(
      fc.property(record, (one) => {
        const data = oracleData(one) as { minimum?: number };
        expect(soaMinimumSeconds(one)).toBe(one.type === RecordType.SOA ? data.minimum : undefined);
      }),
    );
  });

  test("with a TTL of more than 31 bits has none (RFC 2181)", () => {
    const name = nameFromLabels(["a"]);
    const one = {
      name,
      type: 1,
      class: 1,
      ttl: 0x80000001,
      fixed: new Uint8Array(0),
      names: [],
      rest: new Uint8Array(4),
    };
    expect(decoded(encodeResponse(name, [one])).answers[0]?.ttl).toBe(0);
  });
});

describe("EDNS", () => {
  test("carries an extended error, the upper bits of the rcode, and DO", () => {
    const bytes = new Uint8Array(12 + 17);
    bytes[11] = 1;
    expect(encodeOpt(bytes, 12, 16, true, 22)).toBe(bytes.length);
    const { edns, rcode } = decoded(bytes);
    expect([rcode, edns?.dnssecOk, edns?.udpBytes, edns?.version]).toEqual([16, true, 1232, 0]);
    expect(extendedErrors(edns?.options ?? [])).toEqual([22]);
    const [opt] = oracle.decode(Buffer.from(bytes)).additionals ?? [];
    expect(opt).toMatchObject({ type: "OPT", udpPayloadSize: 1232, flags: 0x8000 });
  });
});
