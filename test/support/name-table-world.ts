import { answerRcode } from "../../edge/dns/answer.ts";
import { NameTable } from "../../edge/dns/name-table.ts";
import { readAnswer } from "../../edge/dns/resolver.ts";
import { makeZone } from "../../edge/dns/zone.ts";
import type { ObjectChange } from "../../src/network/object-change.ts";
import { ServiceIndex } from "../../src/network/service-index.ts";
import { formatRcode, parseRecordType } from "../../src/wire/dns.ts";
import { encodeQuery } from "../../src/wire/dns-message.ts";
import { formatName, parseName } from "../../src/wire/dns-name.ts";
import { QueryReader } from "../../src/wire/dns-query.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { dnsName, ip, specificationServices } from "./network-objects.ts";

/** The table of names, asked as the server asks it. */
export class NameTableWorld {
  readonly table: NameTable;
  readonly index = new ServiceIndex();
  readonly reader = new QueryReader(1);

  constructor(changes: readonly ObjectChange[] = specificationServices(), zone = "cluster.local") {
    this.table = new NameTable(makeZone(dnsName(zone)), [ip("169.254.25.10"), ip("fd00::10")]);
    this.apply(...changes);
  }

  apply(...changes: readonly ObjectChange[]): void {
    this.table.update(this.index, this.index.apply(changes));
    this.table.updateGlobals(
      changes.flatMap((change) => (change.kind === "GlobalService" ? [[change.key, change.value] as const] : [])),
    );
  }

  /** "RCODE: data, data", as the server would find it: prepared, or else looked up. */
  ask(name: string, typeName: string): string {
    const type = parseRecordType(typeName) ?? 0;
    const wire = parseName(name);
    if (!wire.ok) throw new Error(wire.error.why);
    const options = { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 };
    this.reader.read(encodeQuery(1, { name: wire.value, type, class: 1 }, options));
    const prepared = this.table.prepared(this.reader);
    const found =
      prepared === undefined ? this.table.lookup(this.reader) : ({ kind: "answer", answer: prepared } as const);
    if (found === undefined) return "forward";
    if (found.kind === "alias") return `alias: ${formatName(found.target)}`;
    const { answer } = found;
    const resolution = { answer, ttl: { kind: "stored" }, source: "cluster", extendedError: undefined } as const;
    const message = readAnswer(dnsName(name), type, resolution);
    const authority = message?.authorities.map((record) => `soa ${formatName(record.name)}`) ?? [];
    return `${formatRcode(answerRcode(answer))}: ${[...(message?.answers.map(formatRecordData) ?? []), ...authority].join(", ")}`;
  }

  isPrepared(name: string, typeName: string): boolean {
    const options = { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 };
    this.reader.read(encodeQuery(1, { name: dnsName(name), type: parseRecordType(typeName) ?? 0, class: 1 }, options));
    return this.table.prepared(this.reader) !== undefined;
  }
}
