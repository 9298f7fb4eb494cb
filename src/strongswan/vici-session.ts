import { createConnection, type Socket } from "node:net";
import type { Clock, Timer } from "../base/clock.ts";
import { formatDuration, milliseconds, seconds } from "../base/duration.ts";
import { errorCode, SelvedgeError } from "../base/errors.ts";
import { encodeViciPacket, type ViciOutgoing, type ViciPacket, ViciPacketReader } from "../wire/vici.ts";
import type { ViciFields, ViciSection } from "../wire/vici-message.ts";

/** How long charon may be quiet while it owes an answer: it takes milliseconds, and tens of them when it is busy. */
const PATIENCE = seconds(2);
/** The last part of it: where this program stood still itself, it first reads what has come meanwhile. */
const LAST_LOOK = milliseconds(100);
/** Requests that wait for their turn: the keeper has one at a time, and commands of people a few more. */
const WAITING_REQUESTS_MAX = 64;

/** What one answer consists of: events of the command's own come before the response. */
interface Exchange {
  /** Completes "Cannot …". */
  readonly what: string;
  readonly packet: Uint8Array;
  /** The event that carries the parts of a streamed answer. */
  readonly part: string | undefined;
  readonly onPart: (part: ViciSection) => void;
  readonly resolve: (response: ViciSection | undefined) => void;
  readonly reject: (error: SelvedgeError) => void;
}

export type ViciEventListener = (name: string, message: ViciSection) => void;

const NOTHING = () => {};

/**
 * One connection to charon's VICI socket. Requests are answered one after the other; events come at any time. Whatever
 * goes wrong with the connection, or an answer that does not come in time, ends it: nobody could tell which answer comes
 * next. Whoever waits then gets the reason.
 */
export class ViciSession {
  readonly path: string;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #reader = new ViciPacketReader();
  readonly #onEvent: ViciEventListener;
  readonly #closed = Promise.withResolvers<SelvedgeError>();
  readonly #waiting: Exchange[] = [];
  #current: Exchange | undefined;
  #timer: Timer | undefined;
  #end: SelvedgeError | undefined;

  /** @throws SelvedgeError CHARON_ABSENT, CHARON_SILENT */
  static open(path: string, clock: Clock, onEvent: ViciEventListener): Promise<ViciSession> {
    const { promise, resolve, reject } = Promise.withResolvers<ViciSession>();
    const socket = createConnection({ path });
    // A charon that hangs accepts nobody, and the kernel only so many in its place.
    const timer = clock.after(PATIENCE, () => fail(silent("connect", path)));
    const fail = (error: SelvedgeError) => {
      timer.cancel();
      socket.destroy();
      reject(error);
    };
    socket.once("error", (error) => fail(charonAbsent(path, error)));
    socket.once("connect", () => {
      timer.cancel();
      resolve(new ViciSession(path, clock, socket, onEvent));
    });
    return promise;
  }

  private constructor(path: string, clock: Clock, socket: Socket, onEvent: ViciEventListener) {
    this.path = path;
    this.#clock = clock;
    this.#socket = socket;
    this.#onEvent = onEvent;
    socket.removeAllListeners("error");
    socket.on("error", (error) => this.#finish(charonAbsent(path, error)));
    socket.on("close", () => this.#finish(charonAbsent(path, "it hung up")));
    socket.on("data", (piece: Uint8Array) => this.#read(piece));
  }

  /** Settles when the session is over, with the reason. */
  get closed(): Promise<SelvedgeError> {
    return this.#closed.promise;
  }

  /** @throws SelvedgeError CHARON_ABSENT, CHARON_SILENT, CHARON_STRANGE, CHARON_LIMIT */
  async request(command: string, fields: ViciFields = {}): Promise<ViciSection> {
    return this.#command(command, fields, undefined, NOTHING);
  }

  /**
   * A command whose answer comes in parts, such as list-sas.
   *
   * @param part the event that carries them; it has to be subscribed
   */
  async stream(command: string, part: string, fields: ViciFields, onPart: (part: ViciSection) => void): Promise<void> {
    await this.#command(command, fields, part, onPart);
  }

  /** From now on events of that name are reported. @throws as request; CHARON_STRANGE where charon has no such event */
  async subscribe(event: string): Promise<void> {
    await this.#ask(`subscribe to ${event}`, { type: "event-register", name: event }, undefined, NOTHING);
  }

  close(): void {
    this.#finish(charonAbsent(this.path, "we hung up"));
  }

  async #command(
    command: string,
    fields: ViciFields,
    part: string | undefined,
    onPart: (part: ViciSection) => void,
  ): Promise<ViciSection> {
    const packet = { type: "command-request", name: command, fields } as const;
    const response = await this.#ask(command, packet, part, onPart);
    if (response === undefined) throw strange(command, "it confirms an event");
    return response;
  }

  #ask(
    what: string,
    outgoing: ViciOutgoing,
    part: string | undefined,
    onPart: (part: ViciSection) => void,
  ): Promise<ViciSection | undefined> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (this.#waiting.length === WAITING_REQUESTS_MAX) {
      return Promise.reject(limit(what, `${WAITING_REQUESTS_MAX} requests wait already`));
    }
    let packet: Uint8Array;
    try {
      packet = encodeViciPacket(outgoing);
    } catch (error) {
      return Promise.reject(limit(what, error));
    }
    const { promise, resolve, reject } = Promise.withResolvers<ViciSection | undefined>();
    this.#waiting.push({ what, packet, part, onPart, resolve, reject });
    if (this.#current === undefined) this.#next();
    return promise;
  }

  #next(): void {
    this.#timer?.cancel();
    this.#current = this.#waiting.shift();
    if (this.#current === undefined) return;
    this.#socket.write(this.#current.packet);
    this.#expectMore();
  }

  #expectMore(): void {
    this.#timer?.cancel();
    const what = this.#current?.what ?? "";
    this.#timer = this.#clock.after(milliseconds(PATIENCE - LAST_LOOK), () => {
      this.#timer = this.#clock.after(LAST_LOOK, () => this.#finish(silent(what, this.path)));
    });
  }

  #read(piece: Uint8Array): void {
    const packets = this.#reader.push(piece);
    if (!packets.ok) {
      const { at, why } = packets.error;
      this.#finish(strange(this.#current?.what ?? "read an event", `${why}, at ${at}`));
      return;
    }
    for (const packet of packets.value) {
      if (this.#end !== undefined) return;
      this.#take(packet);
    }
  }

  #take(packet: ViciPacket): void {
    const current = this.#current;
    switch (packet.type) {
      case "event":
        if (current === undefined || packet.name !== current.part) this.#onEvent(packet.name, packet.message);
        else {
          current.onPart(packet.message);
          this.#expectMore();
        }
        return;
      case "command-response":
      case "event-confirm":
        if (current === undefined) this.#finish(strange("read", "nobody asked for its answer"));
        else {
          this.#next();
          current.resolve(packet.type === "command-response" ? packet.message : undefined);
        }
        return;
      case "command-unknown":
      case "event-unknown":
        if (current === undefined) this.#finish(strange("read", "nobody asked for its answer"));
        else {
          this.#next();
          current.reject(strange(current.what, "it does not know that"));
        }
        return;
      default:
        this.#finish(strange(current?.what ?? "read", `it sends a ${packet.type}`));
    }
  }

  #finish(reason: SelvedgeError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#timer?.cancel();
    this.#socket.destroy();
    const waiting = this.#current === undefined ? this.#waiting : [this.#current, ...this.#waiting];
    this.#current = undefined;
    for (const exchange of waiting.splice(0)) exchange.reject(reason);
    this.#closed.resolve(reason);
  }
}

/** Nobody, or nobody any more, speaks there. */
export function charonAbsent(path: string, why: unknown): SelvedgeError {
  const reason = why instanceof Error ? errorCode(why) : why;
  return new SelvedgeError(`Cannot speak with charon on ${path}: ${reason}`, {
    code: "CHARON_ABSENT",
    blame: "host",
    retry: "later",
    hint: "Start it with `systemctl start selvedge-charon`, or name its socket with --vici-socket.",
    ...(why instanceof Error ? { cause: why } : {}),
  });
}

function silent(what: string, path: string): SelvedgeError {
  return new SelvedgeError(
    `Cannot ${what} as charon on ${path} does not answer: it was waited for ${formatDuration(PATIENCE)}`,
    {
      code: "CHARON_SILENT",
      blame: "host",
      retry: "later",
      hint: "Look at `journalctl -u selvedge-charon`; `systemctl restart selvedge-charon` ends a charon that hangs, and its tunnels come back by themselves.",
    },
  );
}

function strange(what: string, why: string): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as charon's answer is not understood: ${why}`, {
    code: "CHARON_STRANGE",
    blame: "host",
    retry: "later",
    hint: "Look at `swanctl --version --daemon --uri unix:///run/selvedge/charon/charon.vici`: strongSwan 5.9.8 or newer is needed.",
  });
}

function limit(what: string, why: unknown): SelvedgeError {
  return new SelvedgeError(`Cannot ${what} as charon would not take it: ${why instanceof Error ? why.message : why}`, {
    code: "CHARON_LIMIT",
    blame: "user",
    retry: "never",
    hint: "A connection names at most some 7,000 networks: give pods of the cluster fewer and larger ones.",
    ...(why instanceof Error ? { cause: why } : {}),
  });
}
