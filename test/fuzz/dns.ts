import { LATER } from "../../edge/dns/query-handler.ts";
import { EDNS_UDP_BYTES, MAX_MESSAGE_BYTES } from "../../src/wire/dns.ts";
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { QueryReader } from "../../src/wire/dns-query.ts";
import { makeHandler } from "../support/dns-handler.ts";
import { dnsName, specificationServices } from "../support/network-objects.ts";

export interface FuzzReport {
  readonly cases: number;
  readonly answered: number;
  readonly dropped: number;
  readonly decoded: number;
}

const NAMES = [
  "web.shop.svc.cluster.local",
  "_http._tcp.db.data.svc.cluster.local",
  "10-1-2-3.shop.pod.cluster.local",
  "1.1.1.10.in-addr.arpa",
  "inside.shop.svc.cluster.local",
  "www.example.com",
];
const TYPES = [1, 2, 5, 6, 12, 16, 28, 33, 41, 252, 255];
/** Bytes that mean something: pointers, the ends of ranges, type and class numbers. */
const TELLING = [0, 1, 0x0c, 0x1c, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];

/**
 * Sends queries, and responses of our own, through mutation into the decoder and the whole handler: nothing may throw,
 * every answer is well-formed, within its limit, and to a query.
 *
 * @param seed the same seed makes the same cases
 */
export async function fuzzDns(cases: number, seed: number): Promise<FuzzReport> {
  const { handler, ask } = makeHandler(specificationServices());
  const random = xorshift(seed);
  const pick = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[random() % list.length] as T;
  const report = { cases, answered: 0, dropped: 0, decoded: 0 };
  const corpus: Uint8Array[] = [];
  for (const text of NAMES) {
    for (const type of TYPES) {
      const options = { dnssecOk: type % 2 === 0, checkingDisabled: false, udpBytes: 4096 };
      const query = encodeQuery(type, { name: dnsName(text), type, class: 1 }, options);
      const response = await ask(query, "tcp");
      corpus.push(query, ...(response === undefined ? [] : [response]));
    }
  }
  const out = new Uint8Array(MAX_MESSAGE_BYTES);
  const reader = new QueryReader(seed);
  for (let i = 0; i < cases; i++) {
    const packet = mutate(pick(corpus), random);
    try {
      if (decodeMessage(packet).ok) report.decoded += 1;
      const transport = i % 4 === 0 ? "tcp" : "udp";
      let end = handler.handle(packet, out, 0, transport);
      if (end === LATER) {
        await handler.finish(packet, transport, (response) => {
          out.set(response);
          end = response.length;
        });
      }
      if (end === 0) report.dropped += 1;
      else check(packet, out.subarray(0, end), transport === "tcp" ? MAX_MESSAGE_BYTES : EDNS_UDP_BYTES, reader);
      if (end > 0) report.answered += 1;
    } catch (error) {
      throw new Error(`Cannot handle a packet (seed ${seed}, case ${i}): current value is ${packet.toHex()}`, {
        cause: error,
      });
    }
  }
  return report;
}

function check(packet: Uint8Array, response: Uint8Array, limit: number, reader: QueryReader): void {
  reader.read(packet);
  const most = limit === EDNS_UDP_BYTES ? Math.min(limit, reader.udpBytes) : limit;
  const message = decodeMessage(response);
  if (!message.ok) throw new Error(`the response is broken: ${message.error.why}: ${response.toHex()}`);
  if (response.length > most) throw new Error(`the response has ${response.length} bytes, allowed are ${most}`);
  if (((packet[2] ?? 0) & 0x80) !== 0) throw new Error("a response was answered");
  if (((response[2] ?? 0) & 0x80) === 0) throw new Error("the response has no QR");
  if (response[0] !== packet[0] || response[1] !== packet[1]) throw new Error("the response has another id");
  if (message.value.edns !== undefined && !reader.hasEdns) throw new Error("EDNS to a client without");
}

function mutate(original: Uint8Array, random: () => number): Uint8Array {
  let packet = original.slice();
  for (let n = random() % 6; n >= 0; n--) {
    const at = random() % Math.max(1, packet.length);
    switch (random() % 6) {
      case 0:
        packet[at] = random();
        break;
      case 1:
        packet[at] = TELLING[random() % TELLING.length] ?? 0;
        break;
      case 2:
        packet[at] = (packet[at] ?? 0) ^ (1 << (random() % 8));
        break;
      case 3:
        packet = packet.slice(0, at);
        break;
      case 4:
        packet = Uint8Array.of(...packet.subarray(0, at), ...packet.subarray(random() % Math.max(1, at)));
        break;
      default:
        // The header decides what is read at all: give it more than its share.
        packet[random() % Math.max(1, Math.min(12, packet.length))] = TELLING[random() % TELLING.length] ?? 0;
    }
  }
  return packet;
}

/** Marsaglia's generator of 32 bits. */
function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

if (import.meta.main) {
  const [cases = "1000000", seed = String(Date.now() & 0x7fffffff)] = process.argv.slice(2);
  console.log(JSON.stringify({ seed: Number(seed), ...(await fuzzDns(Number(cases), Number(seed))) }));
}
