import { expect, test } from "bun:test";
import { enlargeReceiveBuffer } from "../../../src/linux/receive-buffer.ts";
import { observeUdpDescriptors } from "../../../src/linux/udp-descriptors.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";
import { ip } from "../../support/network-objects.ts";

const BYTES = 512 * 1024;

inNamespace(import.meta.path, () => {
  test.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
  ])(
    "a socket of %s gets the room that ss shows, doubled by the kernel, and no other socket does",
    async (address, shown) => {
      const sockets = await Promise.all([0, 0].map((port) => Bun.udpSocket({ hostname: address, port })));
      const [enlarged, other] = sockets.map(({ port }) => port);
      const descriptors = observeUdpDescriptors(ip(address), enlarged ?? 0);
      expect(descriptors).toHaveLength(1);
      for (const fd of descriptors) enlargeReceiveBuffer(fd, BYTES);
      const room = (port = 0) => {
        const lines = run("ss", "--udp", "--all", "--numeric", "--memory", "--no-header", "--oneline");
        const line = lines.split("\n").find((text) => text.includes(` ${shown}:${port} `));
        return Number(/,rb(\d+),/.exec(line ?? "")?.[1]);
      };
      expect(room(enlarged)).toBe(2 * BYTES);
      expect(room(other)).toBeLessThan(BYTES);
      for (const socket of sockets) socket.close();
    },
  );

  test("of a port that is not ours no socket is found", () => {
    expect(observeUdpDescriptors(ip("127.0.0.1"), 9)).toEqual([]);
  });
});
