import { RecordType } from "../../src/wire/dns.ts";
import { decodeMessage, encodeQuery, type Message } from "../../src/wire/dns-message.ts";
import { formatRecordData } from "../../src/wire/dns-record.ts";
import { dnsName } from "../support/network-objects.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { benchAddress, benchName } from "./dns-services.ts";
import {
  ADDED_SERVICES,
  DNS_SERVER,
  FORWARDED_ZONE,
  type LoadWindow,
  STEADY_SERVICES,
  WEB_ADDRESS,
} from "./soak-world.ts";

/**
 * The pod that uses the node while it soaks: names over UDP and TCP, connections and datagrams through services, at fixed
 * rates. Prints what became of them, one JSON line for each window.
 *
 * test/bench/soak-load.ts SEED
 */
const TICK_MS = 20;
const WINDOW_MS = 5000;
/** As a stub resolver waits (resolv.conf(5)): a server that gives its own upstream up says so before. */
const QUERY_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 3000;
/** Every so many ticks of 20 ms. */
const CLUSTER_QUERIES_PER_TICK = 3;
const TICKS_PER_FORWARDED_QUERY = 1;
const TICKS_PER_CONNECTION = 4;
const TICKS_PER_DATAGRAM = 10;
const TICKS_PER_TCP_QUERY = 25;
/** Half of the forwarded questions are about a few names, half about so many that the cache has to forget. */
const POPULAR_NAMES = 50;
const RARE_NAMES = 40_000;

interface Outstanding {
  readonly sentAt: number;
  readonly tally: Tally;
  readonly isRight: (answer: Message) => boolean;
}

class Tally {
  answered = 0;
  wrong = 0;
  lost = 0;
  times: number[] = [];

  record(startedAt: number, right: boolean): void {
    this.times.push(performance.now() - startedAt);
    if (right) this.answered++;
    else this.wrong++;
  }

  take() {
    const sorted = this.times.sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
    const { answered, wrong, lost } = this;
    this.answered = this.wrong = this.lost = 0;
    this.times = [];
    return { answered, wrong, lost, p50Milliseconds: at(0.5), p99Milliseconds: at(0.99) };
  }
}

const random = seededRandom(Number(process.argv[2]));
const below = (count: number) => Math.floor(random() * count);
const tallies = {
  cluster: new Tally(),
  forwarded: new Tally(),
  overTcp: new Tally(),
  connections: new Tally(),
  datagrams: new Tally(),
};
const outstanding = new Map<number, Outstanding>();
let lastId = 0;

function encode(id: number, name: string, type: number = RecordType.A): Uint8Array {
  const question = { name: dnsName(name), type, class: 1 };
  return encodeQuery(id, question, { dnssecOk: false, checkingDisabled: false, udpBytes: 1232 });
}

function says(address: string) {
  return ({ answers }: Message) => answers.some((record) => formatRecordData(record) === address);
}

const dns = await Bun.udpSocket({
  connect: { hostname: DNS_SERVER, port: 53 },
  socket: {
    data: (_, data) => {
      const message = decodeMessage(data);
      if (!message.ok) return;
      const query = outstanding.get(message.value.id);
      if (query === undefined) return;
      outstanding.delete(message.value.id);
      query.tally.record(query.sentAt, query.isRight(message.value));
    },
    error: () => {},
  },
});

function ask(tally: Tally, name: string, isRight: (answer: Message) => boolean, type: number = RecordType.A): void {
  lastId = (lastId + 1) & 0xffff;
  outstanding.set(lastId, { sentAt: performance.now(), tally, isRight });
  dns.send(encode(lastId, name, type));
}

/** Mostly services that stay; some that come and go, some that never were, and types that they do not have. */
function askCluster(): void {
  const [kind, i] = [random(), below(STEADY_SERVICES)];
  if (kind < 0.7) ask(tallies.cluster, benchName(i), says(benchAddress(i)));
  else if (kind < 0.8) ask(tallies.cluster, `added-${below(ADDED_SERVICES)}.soak.svc.cluster.local`, () => true);
  else if (kind < 0.9) ask(tallies.cluster, `none-${i}.soak.svc.cluster.local`, ({ answers }) => answers.length === 0);
  else ask(tallies.cluster, benchName(i), ({ answers }) => answers.length === 0, RecordType.AAAA);
}

/** While the cable is unplugged, a name that nobody asked for lately has no answer: wrong here, and expected. */
function askForwarded(): void {
  const name = random() < 0.5 ? `popular-${below(POPULAR_NAMES)}` : `rare-${below(RARE_NAMES)}`;
  ask(tallies.forwarded, `${name}.${FORWARDED_ZONE}`, ({ answers }) => answers.length === 1);
}

/** @param exchange gives an answer, and whether it was the right one */
async function tried(tally: Tally, exchange: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  try {
    tally.record(startedAt, await exchange(signal));
  } catch {
    tally.lost++;
  }
}

/** One connection: sends, and gives what came first. */
async function sendOver(hostname: string, port: number, bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const socket = await Bun.connect({
    hostname,
    port,
    socket: { data: (_, data) => resolve(data.slice()), close: () => reject(new Error("closed")), error: reject },
  });
  signal.addEventListener("abort", () => reject(signal.reason));
  try {
    socket.write(bytes);
    return await promise;
  } finally {
    socket.end();
  }
}

function queryOverTcp(): Promise<void> {
  return tried(tallies.overTcp, async (signal) => {
    const i = below(STEADY_SERVICES);
    const query = encode(1, benchName(i));
    const framed = Uint8Array.of(query.length >> 8, query.length & 0xff, ...query);
    const answer = decodeMessage((await sendOver(DNS_SERVER, 53, framed, signal)).subarray(2));
    return answer.ok && says(benchAddress(i))(answer.value);
  });
}

const REQUEST = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");

function connection(): Promise<void> {
  return tried(tallies.connections, async (signal) => {
    const answer = new TextDecoder().decode(await sendOver(WEB_ADDRESS, 80, REQUEST, signal));
    return answer.includes("web-");
  });
}

/** A new source port each: another entry of the kernel's connection table. */
function datagram(): Promise<void> {
  return tried(tallies.datagrams, async (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const socket = await Bun.udpSocket({
      connect: { hostname: WEB_ADDRESS, port: 80 },
      socket: { data: (_, data) => resolve(data.toString()), error: reject },
    });
    signal.addEventListener("abort", () => reject(signal.reason));
    try {
      socket.send("who");
      return (await promise).startsWith("web-");
    } finally {
      socket.close();
    }
  });
}

function dropLate(): void {
  const oldest = performance.now() - QUERY_TIMEOUT_MS;
  for (const [id, { sentAt, tally }] of outstanding) {
    if (sentAt > oldest) continue;
    outstanding.delete(id);
    tally.lost++;
  }
}

let ticks = 0;
setInterval(() => {
  ticks++;
  for (let i = 0; i < CLUSTER_QUERIES_PER_TICK; i++) askCluster();
  if (ticks % TICKS_PER_FORWARDED_QUERY === 0) askForwarded();
  if (ticks % TICKS_PER_CONNECTION === 0) void connection();
  if (ticks % TICKS_PER_DATAGRAM === 0) void datagram();
  if (ticks % TICKS_PER_TCP_QUERY === 0) void queryOverTcp();
}, TICK_MS);
setInterval(() => {
  dropLate();
  const entries = Object.entries(tallies).map(([name, tally]) => [name, tally.take()]);
  console.log(JSON.stringify(Object.fromEntries(entries) satisfies LoadWindow));
}, WINDOW_MS);
