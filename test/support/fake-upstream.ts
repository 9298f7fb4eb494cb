import { makeAnswer, STORED_TTL, writeResponse } from "../../edge/dns/answer.ts";
import type { UpstreamAddress } from "../../edge/dns/upstream-transport.ts";
import { Flag, MAX_MESSAGE_BYTES } from "../../src/wire/dns.ts";
import { decodeMessage, type Message } from "../../src/wire/dns-message.ts";
import { QueryReader } from "../../src/wire/dns-query.ts";
import { addressRecord, type ResourceRecord } from "../../src/wire/dns-record.ts";
import { ip } from "./network-objects.ts";

export interface FakeReply {
  readonly flags?: number;
  readonly answers?: readonly ResourceRecord[];
  readonly authorities?: readonly ResourceRecord[];
  /** Changes the finished bytes: what a forger would get wrong. */
  readonly spoil?: (bytes: Uint8Array) => Uint8Array;
}

/** What the server says to a query: replies in order, none at all for silence. */
export type Behaviour = (query: Message, transport: "udp" | "tcp") => readonly FakeReply[];

/** A name server on loopback that does what a test tells it, on one UDP and TCP port. */
export class FakeUpstream {
  readonly asked: Message[] = [];
  /** The source port of each query over UDP. */
  readonly ports: number[] = [];
  behaviour: Behaviour;
  readonly late: ((behaviour: Behaviour) => void)[] = [];
  readonly server: UpstreamAddress;
  readonly close: () => void;

  private constructor(behaviour: Behaviour, server: UpstreamAddress, close: () => void) {
    this.behaviour = behaviour;
    this.server = server;
    this.close = close;
  }

  static async start(behaviour: Behaviour): Promise<FakeUpstream> {
    let fake: FakeUpstream | undefined;
    const udp = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket, data, port, address) => {
          fake?.ports.push(port);
          const packet = data.slice();
          fake?.late.push((behaviour) => {
            for (const reply of replies(packet, behaviour, "udp")) socket.send(reply, port, address);
          });
          for (const reply of fake?.reply(data, "udp") ?? []) socket.send(reply, port, address);
        },
        error: () => {},
      },
    });
    const tcp = Bun.listen({
      hostname: "127.0.0.1",
      port: udp.port,
      socket: {
        data: (socket, data) => {
          for (const reply of fake?.reply(data.subarray(2), "tcp") ?? []) {
            // In two pieces, so that the reader has to put them together.
            socket.write(Uint8Array.of(reply.length >> 8, reply.length & 0xff, ...reply.subarray(0, 1)));
            socket.flush();
            socket.write(reply.subarray(1));
          }
        },
      },
    });
    const close = () => {
      udp.close();
      tcp.stop(true);
    };
    fake = new FakeUpstream(behaviour, { address: ip("127.0.0.1"), port: udp.port }, close);
    return fake;
  }

  /** Without the probes that every new upstream gets. */
  questions(): Message[] {
    return this.asked.filter((query) => query.questions[0]?.name.includes("selvedge-probe") !== true);
  }

  /** Answers the last query over UDP once more, or after all. */
  answerLate(behaviour: Behaviour): void {
    this.late.at(-1)?.(behaviour);
  }

  reply(packet: Uint8Array, transport: "udp" | "tcp"): Uint8Array[] {
    const query = decodeMessage(packet);
    if (!query.ok) throw new Error(query.error.why);
    this.asked.push(query.value);
    return replies(packet, this.behaviour, transport);
  }
}

function replies(packet: Uint8Array, behaviour: Behaviour, transport: "udp" | "tcp"): Uint8Array[] {
  const query = decodeMessage(packet);
  if (!query.ok) throw new Error(query.error.why);
  return behaviour(query.value, transport).map((reply) => encodeReply(packet, query.value, reply));
}

function encodeReply(packet: Uint8Array, query: Message, reply: FakeReply): Uint8Array {
  const [question] = query.questions;
  if (question === undefined) throw new Error("a query without a question");
  const reader = new QueryReader(0);
  reader.read(packet);
  const { flags = 0, answers = [], authorities = [] } = reply;
  const answer = makeAnswer(question.name, { flags: flags & ~Flag.Truncated, answers, authorities });
  const out = new Uint8Array(MAX_MESSAGE_BYTES);
  const options = { ttl: STORED_TTL, turn: 0, extendedError: undefined };
  const bytes = out.slice(0, writeResponse(out, 0, MAX_MESSAGE_BYTES, packet, reader, answer, options));
  if ((flags & Flag.Truncated) !== 0) bytes[2] = (bytes[2] ?? 0) | (Flag.Truncated >> 8);
  return reply.spoil?.(bytes) ?? bytes;
}

/** An A record for whatever is asked. */
export function says(address: string, ttl = 60): Behaviour {
  return (query) => {
    const name = query.questions[0]?.name;
    return name === undefined ? [] : [{ answers: [addressRecord(name, ttl, ip(address))] }];
  };
}

export const silent: Behaviour = () => [];

/** A failure that names an rcode. */
export function fails(rcode: number): Behaviour {
  return () => [{ flags: rcode }];
}
