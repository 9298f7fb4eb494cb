import { afterAll, describe, expect, test } from "bun:test";
import { errorCode } from "../../../src/base/errors.ts";
import { EchoSocket } from "../../../src/linux/echo-socket.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";

inNamespace(import.meta.path, () => {
  const sockets: EchoSocket[] = [];
  afterAll(() => {
    for (const socket of sockets) socket.close();
  });
  const open = async (family: 4 | 6, source?: string) => {
    const replies: number[] = [];
    const socket = await EchoSocket.open({
      family,
      source: source === undefined ? undefined : ip(source),
      mark: undefined,
      identifier: 4711,
      onReply: (sequence) => replies.push(sequence),
    });
    sockets.push(socket);
    return { socket, replies };
  };

  describe("an echo socket", () => {
    test("hears the answers to its own requests, IPv4 and IPv6, from the address that it has", async () => {
      run("ip", "address", "add", "127.0.0.7/8", "dev", "lo");
      const [four, six, other] = [await open(4, "127.0.0.7"), await open(6), await open(4)];
      expect(four.socket.send(ip("127.0.0.1"), 1, 84)).toBe(true);
      expect(four.socket.send(ip("127.0.0.1"), 65_535, 1500)).toBe(true);
      expect(six.socket.send(ip("::1"), 2, 104)).toBe(true);
      await waitFor("answers", () => four.replies.length === 2 && six.replies.length === 1);
      expect(four.replies.sort()).toEqual([1, 65_535]);
      expect(six.replies).toEqual([2]);
      // Bound to nothing, it hears what comes for another address, too; with another number it would not be its own.
      expect(other.replies.length).toBe(2);
    });

    test("sends nothing in pieces, and tells what does not leave", async () => {
      run("ip", "link", "set", "lo", "mtu", "1300");
      run("ip", "route", "add", "unreachable", "203.0.113.0/24");
      const { socket } = await open(4);
      expect(socket.send(ip("127.0.0.1"), 1, 1300)).toBe(true);
      expect(socket.send(ip("127.0.0.1"), 2, 1301)).toBe(false);
      expect(socket.send(ip("203.0.113.1"), 3, 84)).toBe(false);
      run("ip", "link", "set", "lo", "mtu", "65536");
    });

    test("does not open for an address that is not this node's", async () => {
      expect(await open(4, "203.0.113.5").then(String, errorCode)).toBe("EADDRNOTAVAIL");
    });
  });
});
