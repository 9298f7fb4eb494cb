import { describe, expect, test } from "bun:test";
import { BATCH_DATAGRAMS, DatagramBatch } from "../../../src/linux/datagram-batch.ts";
import { HeldUdpSocket } from "../../../src/linux/held-socket.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";

const PORT = 5300;
const ANSWER_BYTES = 512;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A client of its own port, and what it has been answered. */
async function client(hostname: string) {
  const answers: string[] = [];
  const socket = await Bun.udpSocket({
    hostname: hostname.includes(":") ? "::" : "0.0.0.0",
    connect: { hostname, port: PORT },
    socket: { data: (_, data) => void answers.push(data.toString()), error: () => {} },
  });
  return { socket, answers };
}

/** "x" is answered "re: x", for each that `answered` is true of. */
function echo(batch: DatagramBatch, count: number, answered: (question: string) => boolean = () => true): void {
  for (let i = 0; i < count; i++) {
    const question = text(batch.datagram(i));
    if (!answered(question)) continue;
    const { written } = new TextEncoder().encodeInto(`re: ${question}`, batch.room(i));
    batch.answer(i, written);
  }
}

inNamespace(import.meta.path, () => {
  describe.each([
    ["127.0.0.1", 0x7f000001],
    ["::1", undefined],
  ])("datagrams for %s", (address, number) => {
    test("come with their senders, and each answer goes to who asked", async () => {
      const server = HeldUdpSocket.open(ip(address), PORT);
      const batch = new DatagramBatch(ANSWER_BYTES);
      expect(batch.receive(server.fd)).toBe(0);
      const clients = [await client(address), await client(address), await client(address)];
      for (const [n, { socket }] of clients.entries()) {
        for (const question of ["a", "drop", "b"]) socket.send(`${question}${n}`);
      }
      const count = batch.receive(server.fd);
      expect(count).toBe(9);
      for (let i = 0; i < count; i++) {
        expect(batch.sender(i)).toEqual({ address: ip(address), port: batch.port(i) });
        expect(batch.ipv4(i)).toBe(number);
      }
      echo(batch, count, (question) => !question.startsWith("drop"));
      expect(batch.send(server.fd)).toBe(0);
      for (const [n, { answers }] of clients.entries()) {
        await waitFor("the answers", () => answers.length === 2);
        expect(answers).toEqual([`re: a${n}`, `re: b${n}`]);
      }
      // What was answered once is not sent again.
      expect(batch.receive(server.fd)).toBe(0);
      expect(batch.send(server.fd)).toBe(0);
      server.close();
      for (const { socket } of clients) socket.close();
    });
  });

  test("more than fit into a call come with the next, and none is another's", async () => {
    const server = HeldUdpSocket.open(ip("127.0.0.1"), PORT);
    const batch = new DatagramBatch(ANSWER_BYTES);
    const { socket, answers } = await client("127.0.0.1");
    const total = 2 * BATCH_DATAGRAMS + 5;
    const questions = Array.from({ length: total }, (_, i) => `${"q".repeat(i)}${i}`);
    for (const question of questions) socket.send(question);
    const counts: number[] = [];
    for (let count = batch.receive(server.fd); count > 0; count = batch.receive(server.fd)) {
      counts.push(count);
      echo(batch, count);
      expect(batch.send(server.fd)).toBe(0);
    }
    expect(counts).toEqual([BATCH_DATAGRAMS, BATCH_DATAGRAMS, 5]);
    await waitFor("all answers", () => answers.length === total);
    expect(answers).toEqual(questions.map((question) => `re: ${question}`));
    server.close();
    socket.close();
  });

  test("of one that is too long nothing is shown, and an empty one is one", async () => {
    const server = HeldUdpSocket.open(ip("127.0.0.1"), PORT);
    const batch = new DatagramBatch(ANSWER_BYTES);
    const { socket } = await client("127.0.0.1");
    for (const size of [4096, 4097, 0]) socket.send(new Uint8Array(size));
    expect(batch.receive(server.fd)).toBe(3);
    expect([0, 1, 2].map((i) => batch.datagram(i).length)).toEqual([4096, 0, 0]);
    server.close();
    socket.close();
  });

  test("an answer that a firewall refuses costs no other answer", async () => {
    const server = HeldUdpSocket.open(ip("127.0.0.1"), PORT);
    const batch = new DatagramBatch(ANSWER_BYTES);
    const clients = [await client("127.0.0.1"), await client("127.0.0.1"), await client("127.0.0.1")];
    for (const { socket } of clients) socket.send("q");
    const refused = clients[1]?.socket.port ?? 0;
    run(
      "nft",
      `add table ip t; add chain ip t out { type filter hook output priority 0; };
      add rule ip t out udp sport ${PORT} udp dport ${refused} counter drop`,
    );
    const count = batch.receive(server.fd);
    echo(batch, count);
    expect(batch.send(server.fd)).toBe(1);
    for (const n of [0, 2]) await waitFor("the answer", () => clients[n]?.answers.length === 1);
    expect(clients[1]?.answers).toEqual([]);
    run("nft", "delete table ip t");
    server.close();
    for (const { socket } of clients) socket.close();
  });

  test("of a descriptor that is no socket nothing is read", () => {
    expect(new DatagramBatch(ANSWER_BYTES).receive(-1)).toBe(0);
  });
});
