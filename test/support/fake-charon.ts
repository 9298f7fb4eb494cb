import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeViciPacket, type ViciPacket, ViciPacketReader } from "../../src/wire/vici.ts";
import type { ViciFields } from "../../src/wire/vici-message.ts";

/** What an answer is: a message, the packets before and with it as bytes, or nothing at all. */
export type FakeAnswer = ViciFields | Uint8Array | "silence" | "hang up";

/** A VICI server that knows no tunnels: it answers as a test tells it, and counts who waits. */
export class FakeCharon implements AsyncDisposable {
  readonly path: string;
  /** Commands in the order of their arrival. */
  readonly asked: string[] = [];
  /** Instead of what a charon without tunnels would say. */
  readonly answers = new Map<string, (fields: ViciPacket) => FakeAnswer>();
  sessions = 0;
  mostSessions = 0;
  mostUnanswered = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "selvedge-charon-"));
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  static async start(): Promise<FakeCharon> {
    const fake = new FakeCharon();
    await fake.listen();
    return fake;
  }

  private constructor() {
    this.path = join(this.#folder, "charon.vici");
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  /** The socket is gone, as when charon ends. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    rmSync(this.path, { force: true });
  }

  /** To every session. */
  raise(name: string, fields: ViciFields): void {
    for (const socket of this.#sockets) socket.write(encodeViciPacket({ type: "event", name, fields }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket): void {
    const reader = new ViciPacketReader();
    let unanswered = 0;
    this.#sockets.add(socket);
    this.mostSessions = Math.max(this.mostSessions, ++this.sessions);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.sessions -= 1;
    });
    socket.on("data", (piece: Uint8Array) => {
      const packets = reader.push(piece);
      if (!packets.ok) throw new Error(`the client sent nonsense: ${packets.error.why}`);
      for (const packet of packets.value) {
        this.mostUnanswered = Math.max(this.mostUnanswered, ++unanswered);
        // Charon, too, works an answer off in another thread.
        setImmediate(() => {
          if (this.#answer(socket, packet)) unanswered -= 1;
        });
      }
    });
  }

  #answer(socket: Socket, packet: ViciPacket): boolean {
    const name = "name" in packet ? packet.name : "";
    this.asked.push(name);
    const told = this.answers.get(name)?.(packet);
    if (told === "silence") return false;
    if (told === "hang up") socket.destroy();
    else if (told instanceof Uint8Array) socket.write(told);
    else if (packet.type === "event-register") socket.write(encodeViciPacket({ type: "event-confirm" }));
    else socket.write(encodeViciPacket({ type: "command-response", fields: told ?? usual(name) }));
    return true;
  }
}

function usual(command: string): ViciFields {
  if (command === "version") return { daemon: "charon-systemd", version: "5.9.8" };
  if (command.startsWith("list-") || command.startsWith("get-")) return {};
  return { success: true, id: "00" };
}
