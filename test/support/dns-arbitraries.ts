import fc from "fast-check";
import { ipFromBytes } from "../../src/base/ip.ts";
import { RecordType } from "../../src/wire/dns.ts";
import { type DnsName, MAX_NAME_BYTES, nameFromLabels } from "../../src/wire/dns-name.ts";
import {
  addressRecord,
  nameRecord,
  type ResourceRecord,
  soaRecord,
  srvRecord,
  textRecord,
} from "../../src/wire/dns-record.ts";

const LETTERS = [..."abcxyzABCXYZ019-_"];

/** A few labels over and over, so that names share suffixes and get compressed. */
const label = fc.oneof(
  fc.constantFrom("a", "svc", "Cluster", "local", "example", "com"),
  fc.string({ unit: fc.constantFrom(...LETTERS), minLength: 1, maxLength: 63 }),
);

/** As host names are: what every library writes and reads alike. */
export const hostName: fc.Arbitrary<DnsName> = fc
  .array(label, { minLength: 1, maxLength: 6 })
  .map((labels) => nameFromLabels(labels))
  .filter((name) => name.length <= MAX_NAME_BYTES);

/** Of any bytes. */
export const anyName: fc.Arbitrary<DnsName> = fc
  .array(
    fc.uint8Array({ minLength: 1, maxLength: 63 }).map((bytes) => String.fromCharCode(...bytes)),
    { maxLength: 8 },
  )
  .map((labels) => nameFromLabels(labels))
  .filter((name) => name.length <= MAX_NAME_BYTES);

const ttl = fc.integer({ min: 0, max: 0x7fffffff });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(ipFromBytes);

/** Of the types that the libraries know. */
export const record: fc.Arbitrary<ResourceRecord> = fc.oneof(
  fc.tuple(hostName, ttl, ipv4).map((args) => addressRecord(...args)),
  fc.tuple(hostName, ttl, ipv6).map((args) => addressRecord(...args)),
  fc
    .tuple(hostName, fc.constantFrom(RecordType.NS, RecordType.CNAME, RecordType.PTR), ttl, hostName)
    .map((args) => nameRecord(...args)),
  fc
    .tuple(hostName, ttl, fc.record({ priority: uint16, weight: uint16, port: uint16, target: hostName }))
    .map((args) => srvRecord(...args)),
  fc
    .tuple(hostName, ttl, fc.string({ unit: fc.constantFrom(...LETTERS), maxLength: 255 }))
    .map((args) => textRecord(...args)),
  fc
    .tuple(
      hostName,
      ttl,
      fc.record({
        primary: hostName,
        mailbox: hostName,
        serial: uint32,
        refreshSeconds: uint32,
        retrySeconds: uint32,
        expireSeconds: uint32,
        minimumSeconds: uint32,
      }),
    )
    .map((args) => soaRecord(...args)),
);
