import { connect } from "node:net";
import { EDNS_UDP_BYTES, HEADER_BYTES } from "../../src/wire/dns.ts";
import { decodeMessage, encodeQuery } from "../../src/wire/dns-message.ts";
import { QueryReader, uint16 } from "../../src/wire/dns-query.ts";
import { readCorpus } from "../fuzz/corpus.ts";
import { Mutator } from "../fuzz/mutator.ts";
import { xorshift } from "../fuzz/random.ts";
import { dnsName } from "./network-objects.ts";

/**
 * A pod that means harm: `hostile-dns-client.ts datagrams SERVER SEED COUNT` and `hostile-dns-client.ts streams SERVER`.
 * It prints one line of JSON.
 */

/** What a datagram holds: over IPv4, 65,535 without the headers. */
const DATAGRAM_BYTES = 65_507;
/** Datagrams on their way at once: fewer than fit the server's socket, so that none is lost before it is looked at. */
const WINDOW = 48;
const GIVE_UP_MS = 5000;
const NAME = dnsName("web.default.svc.cluster.local");
const HEX_QUESTION = "03776562 0764656661756c74 03737663 07636c7573746572 056c6f63616c 00 0001 0001";

/** What was found to break other servers, as hex behind the id: flags, counts, and on. */
const CLASSICS = [
  `0100 0001 0000 0000 0000 c00c 0001 0001`, // a name that points at itself
  `0100 0001 0000 0000 0000 c00e c00c 0001 0001`, // two that point at each other
  `0100 0001 0000 0000 0000 c0ff 0001 0001`, // behind the end
  `0100 0001 0000 0000 0000 40${"61".repeat(64)} 00 0001 0001`, // an extended label
  `0100 0000 0000 0000 0000`,
  `0100 0002 0000 0000 0000 ${HEX_QUESTION} ${HEX_QUESTION}`,
  `0100 ffff 0000 0000 0000 ${HEX_QUESTION}`,
  `0100 ffff ffff ffff ffff ${HEX_QUESTION}`,
  `8180 0001 0000 0000 0000 ${HEX_QUESTION}`, // a response
  `2800 0001 0000 0000 0000 ${HEX_QUESTION}`, // an update
  `2000 0001 0000 0000 0000 ${HEX_QUESTION}`, // a notification
  `0100 0001 0000 0000 0001 ${HEX_QUESTION} 00 0029 ffff 00ff 0000 0000`, // EDNS version 255
  `0100 0001 0000 0000 0001 ${HEX_QUESTION} 00 0029 0000 0000 0000 0000`, // that takes no byte at all
  `0100 0001 0000 0000 0001 ${HEX_QUESTION} 00 0029 04d0 0000 0000 ffff`, // options behind the end
  `0100 0001 0000 0000 0001 ${HEX_QUESTION} 00 0029 04d0 0000 0000 0004 000a ffff`, // a cookie behind the end
  `0100 0001 0000 0000 0002 ${HEX_QUESTION} 00 0029 04d0 0000 0000 0000 00 0029 04d0 0000 0000 0000`, // EDNS twice
  `0100 0001 0000 0000 0001 ${HEX_QUESTION} 00 00fa 00ff 0000 0000 003d ${"00".repeat(61)}`, // TSIG
  `0100 0001 0001 0000 0000 ${HEX_QUESTION} ${HEX_QUESTION} 00000e10 ffff`, // an answer in a query
].map((hex) => Uint8Array.fromHex(`0000${hex.replaceAll(" ", "")}`));

export interface DatagramReport {
  readonly sent: number;
  readonly answered: number;
  /** By response code. */
  readonly rcodes: Readonly<Record<string, number>>;
  readonly largestReplyBytes: number;
  /** What was wrong with replies: none, it is hoped. */
  readonly faults: readonly string[];
}

async function sendDatagrams(server: string, seed: number, count: number): Promise<DatagramReport> {
  const random = xorshift(seed);
  const seeds = [
    ...CLASSICS,
    ...["dns-query", "dns-server", "dns-message"].flatMap((t) => readCorpus(t).map((c) => c.bytes)),
  ];
  const mutator = new Mutator({ mostBytes: 1400, form: "big-endian" }, random);
  const pick = () => seeds[random() % seeds.length] ?? new Uint8Array();
  const flight = new Map<number, Uint8Array>();
  const reader = new QueryReader(seed);
  const rcodes: Record<string, number> = {};
  const faults: string[] = [];
  let [answered, largestReplyBytes] = [0, 0];
  let landmark: { readonly id: number; readonly passed: () => void } | undefined;

  const judge = (reply: Uint8Array) => {
    const id = uint16(reply, 0);
    if (id === landmark?.id) {
      landmark.passed();
      return;
    }
    const query = flight.get(id);
    const fault = query === undefined ? "a reply to nothing" : faultOf(query, reply, reader);
    if (fault !== undefined && faults.length < 10) faults.push(`${fault}: ${query?.toHex()} got ${reply.toHex()}`);
    flight.delete(id);
    answered += 1;
    largestReplyBytes = Math.max(largestReplyBytes, reply.length);
    const rcode = String((reply[3] ?? 0) & 0xf);
    rcodes[rcode] = (rcodes[rcode] ?? 0) + 1;
  };
  const socket = await Bun.udpSocket({
    connect: { hostname: server, port: 53 },
    socket: { data: (_, reply) => judge(reply), error: () => {} },
  });
  for (let sent = 0; sent < count; sent += WINDOW) {
    flight.clear();
    for (let i = 0; i < WINDOW; i++) {
      const id = (sent + i) & 0x7fff;
      const packet = mutator.mutate(pick(), pick()).slice();
      const whole = random() % 1000 === 0 ? concat(packet, new Uint8Array(random() % (DATAGRAM_BYTES - 1400))) : packet;
      if (whole.length >= 2) whole.set([id >> 8, id & 0xff]);
      flight.set(id, whole);
      socket.send(whole);
    }
    // A server answers in order: behind this answer nothing comes of the ones before.
    const passed = Promise.withResolvers<void>();
    landmark = { id: 0x8000 | ((sent / WINDOW) & 0x7fff), passed: passed.resolve };
    const timer = setTimeout(() => passed.reject(new Error(`no answer any more after ${sent} datagrams`)), GIVE_UP_MS);
    socket.send(plainQuery(landmark.id));
    await passed.promise;
    clearTimeout(timer);
  }
  socket.close();
  return { sent: count, answered, rcodes, largestReplyBytes, faults };
}

function faultOf(query: Uint8Array, reply: Uint8Array, reader: QueryReader): string | undefined {
  if (query.length < HEADER_BYTES) return "a reply to what is no header";
  if (((query[2] ?? 0) & 0x80) !== 0) return "a reply to a response";
  if (((reply[2] ?? 0) & 0x80) === 0) return "a reply that is a query";
  reader.read(query);
  if (reply.length > Math.min(EDNS_UDP_BYTES, reader.udpBytes)) return "a reply longer than allowed";
  const message = decodeMessage(reply);
  return message.ok ? undefined : `a broken reply, ${message.error.why}`;
}

export interface StreamReport {
  /** How each attack ended, with the seconds until then. */
  readonly [attack: string]: { readonly end: "closed" | "open"; readonly seconds: number; readonly bytesRead: number };
}

/** Each attack on connections of its own, all at once. */
async function attackStreams(server: string): Promise<StreamReport> {
  const attacks: Record<string, (write: (bytes: Uint8Array) => void) => void> = {
    "says nothing": () => {},
    "says one byte of a length": (write) => write(Uint8Array.of(0)),
    "says a byte a second": (write) => {
      const query = framed(plainQuery(7));
      let at = 0;
      setInterval(() => write(query.subarray(at++, at)), 1000);
    },
    "announces 65,535 bytes": (write) => write(Uint8Array.of(0xff, 0xff, 0, 0)),
    "sends 65,535 bytes": (write) => write(concat(Uint8Array.of(0xff, 0xff), new Uint8Array(0xffff))),
    "sends an empty message": (write) => write(Uint8Array.of(0, 0)),
    "sends a response": (write) => write(framed(Uint8Array.fromHex("0007818000010000000000000000010001"))),
    "asks 20,000 times and reads nothing": (write) => {
      const query = framed(plainQuery(7));
      for (let i = 0; i < 20_000; i++) write(query);
    },
  };
  const report: Record<string, StreamReport[string]> = {};
  await Promise.all(
    Object.entries(attacks).map(async ([name, attack]) => {
      const start = performance.now();
      const socket = connect({ host: server, port: 53 });
      const closed = Promise.withResolvers<"closed" | "open">();
      if (name.endsWith("reads nothing")) socket.pause();
      else socket.resume();
      socket.on("error", () => closed.resolve("closed"));
      socket.on("close", () => closed.resolve("closed"));
      socket.on("connect", () => attack((bytes) => void (socket.destroyed || socket.write(bytes))));
      const timer = setTimeout(() => closed.resolve("open"), 4 * GIVE_UP_MS);
      const end = await closed.promise;
      clearTimeout(timer);
      const seconds = Math.round((performance.now() - start) / 100) / 10;
      report[name] = { end, seconds, bytesRead: socket.bytesRead };
      socket.destroy();
    }),
  );
  return report;
}

function plainQuery(id: number): Uint8Array {
  const options = { dnssecOk: false, checkingDisabled: false, udpBytes: EDNS_UDP_BYTES };
  return encodeQuery(id, { name: NAME, type: 1, class: 1 }, options);
}

function framed(message: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(message.length >> 8, message.length & 0xff), message);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

if (import.meta.main) {
  const [attack, server = "", seed = "1", count = "1"] = process.argv.slice(2);
  const report =
    attack === "streams" ? await attackStreams(server) : await sendDatagrams(server, Number(seed), Number(count));
  console.log(JSON.stringify(report));
  process.exit(0);
}
