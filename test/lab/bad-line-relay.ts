import { dlopen, ptr } from "bun:ffi";
import { openSync, readSync, writeSync } from "node:fs";
import { seededRandom } from "../support/seeded-random.ts";
import type { LineConditions } from "./bad-line.ts";

/*
 * The program of a bad line: hands Ethernet frames from one TAP device to the other, late, out of order, twice, or not
 * at all. Linux lets the kernel finish checksums and segments before a TAP device is read. It runs until it is killed.
 */

/** linux/if_tun.h: _IOW('T', 202, int), and its flags. */
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
/** linux/if.h: struct ifreq is the name, padded to 16 bytes, and a union in which flags come first. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;
/** poll.h */
const POLLIN = 0x1;
const POLLFD_SIZE = 8;
const POLLFD_REVENTS = 6;
/** linux/if_ether.h: struct ethhdr. A long line is between routers: who is at its ends is asked on this side of it. */
const ETHERTYPE_AT = 12;
const ETH_P_ARP = 0x0806;
/** A frame of any MTU of the lab, with its header. */
const FRAME_MAX = 65_550;

const { symbols: libc } = dlopen("libc.so.6", {
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
});

interface Late {
  readonly due: number;
  readonly to: number;
  readonly frame: Uint8Array;
}

function openTap(name: string): number {
  const fd = openSync("/dev/net/tun", "r+");
  const request = Buffer.alloc(IFREQ_SIZE);
  request.write(name, "latin1");
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFREQ_FLAGS);
  if (libc.ioctl(fd, TUNSETIFF, ptr(request)) !== 0) throw new Error(`Cannot make the TAP device ${name}`);
  return fd;
}

function relay(taps: readonly [number, number], { delay, jitter, loss, duplication, seed }: LineConditions): never {
  const random = seededRandom(seed);
  const underWay: Late[] = [];
  const polled = Buffer.alloc(taps.length * POLLFD_SIZE);
  taps.forEach((fd, i) => {
    polled.writeInt32LE(fd, i * POLLFD_SIZE);
    polled.writeInt16LE(POLLIN, i * POLLFD_SIZE + 4);
  });
  const buffer = Buffer.alloc(FRAME_MAX);
  const send = (to: number, frame: Uint8Array) => {
    const due = performance.now() + delay + random() * jitter;
    const at = underWay.findLastIndex((other) => other.due <= due) + 1;
    underWay.splice(at, 0, { due, to, frame });
  };
  for (;;) {
    const [next] = underWay;
    const wait = next === undefined ? -1 : Math.max(0, Math.ceil(next.due - performance.now()));
    libc.poll(ptr(polled), taps.length, wait);
    taps.forEach((fd, i) => {
      if ((polled.readInt16LE(i * POLLFD_SIZE + POLLFD_REVENTS) & POLLIN) === 0) return;
      const frame = new Uint8Array(buffer.subarray(0, readSync(fd, buffer)));
      const to = taps[1 - i] ?? fd;
      if (buffer.readUInt16BE(ETHERTYPE_AT) === ETH_P_ARP) {
        writeSync(to, frame);
        return;
      }
      if (random() < loss) return;
      send(to, frame);
      if (random() < duplication) send(to, frame);
    });
    while (underWay[0] !== undefined && underWay[0].due <= performance.now()) {
      const late = underWay.shift();
      if (late !== undefined) writeSync(late.to, late.frame);
    }
  }
}

const [near = "", far = "", conditions = ""] = process.argv.slice(2);
const taps = [openTap(near), openTap(far)] as const;
process.stdout.write("relaying\n");
relay(taps, JSON.parse(conditions));
