import type { Clock, MonotonicTime } from "../../src/base/clock.ts";
import { elapsed } from "../../src/base/clock.ts";
import type { Duration } from "../../src/base/duration.ts";
import { errorCode } from "../../src/base/errors.ts";
import { type Ip, ipFamily } from "../../src/base/ip.ts";
import { EchoSocket } from "../../src/linux/echo-socket.ts";
import { IKE_MARK } from "../../src/linux/uplink.ts";

/** Questions that wait for an answer: more than all peers are asked in the time that any answer takes. */
export const PENDING_ECHOES_MAX = 4096;

export interface EchoQuestion {
  readonly target: Ip;
  /** One of this node's addresses; undefined asks as charon's own packets go, past the tunnels. */
  readonly source: Ip | undefined;
  /** Of the whole IP packet. */
  readonly packetBytes: number;
  readonly onAnswer: (roundTrip: Duration) => void;
}

/** Echo requests from any of this node's addresses, with a socket for each address. */
export class Echoes {
  readonly #clock: Clock;
  readonly #identifier: number;
  readonly #sockets = new Map<string, EchoSocket | "opening">();
  readonly #pending = new Map<number, { readonly sent: MonotonicTime; readonly onAnswer: EchoQuestion["onAnswer"] }>();
  #sequence = 0;
  #failure: string | undefined;
  #closed = false;

  /** @param identifier 16 bits that other programs on this node do not use */
  constructor(clock: Clock, identifier: number) {
    this.#clock = clock;
    this.#identifier = identifier;
  }

  /** The errno of the last socket that could not be opened; undefined when it could. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** @returns whether it left; the first one from an address only opens its socket */
  ask({ target, source, packetBytes, onAnswer }: EchoQuestion): boolean {
    const socket = this.#socket(target, source);
    if (socket === undefined) return false;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    if (!socket.send(target, this.#sequence, packetBytes)) return false;
    this.#pending.delete(this.#sequence);
    this.#pending.set(this.#sequence, { sent: this.#clock.now(), onAnswer });
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_ECHOES_MAX && oldest !== undefined) this.#pending.delete(oldest);
    return true;
  }

  /** @param sources that are still this node's: the sockets of others are closed */
  keep(sources: ReadonlySet<Ip>): void {
    for (const [key, socket] of this.#sockets) {
      const [, source = ""] = key.split(" ");
      if (source === "" || sources.has(source as Ip) || socket === "opening") continue;
      socket.close();
      this.#sockets.delete(key);
    }
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets.values()) if (socket !== "opening") socket.close();
  }

  #socket(target: Ip, source: Ip | undefined): EchoSocket | undefined {
    const family = ipFamily(target);
    const key = `${family} ${source ?? ""}`;
    const socket = this.#sockets.get(key);
    if (socket === undefined) void this.#open(key, family, source);
    return socket === "opening" ? undefined : socket;
  }

  async #open(key: string, family: 4 | 6, source: Ip | undefined): Promise<void> {
    this.#sockets.set(key, "opening");
    try {
      const mark = source === undefined ? IKE_MARK : undefined;
      const onReply = (sequence: number) => this.#answered(sequence);
      const socket = await EchoSocket.open({ family, source, mark, identifier: this.#identifier, onReply });
      this.#failure = undefined;
      if (this.#closed) socket.close();
      else this.#sockets.set(key, socket);
    } catch (error) {
      this.#sockets.delete(key);
      this.#failure = errorCode(error);
    }
  }

  #answered(sequence: number): void {
    const question = this.#pending.get(sequence);
    if (question === undefined) return;
    this.#pending.delete(sequence);
    question.onAnswer(elapsed(question.sent, this.#clock.now()));
  }
}
