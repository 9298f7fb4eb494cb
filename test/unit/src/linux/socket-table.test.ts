import { describe, expect, test } from "bun:test";
import type { Ip } from "../../../../src/base/ip.ts";
import { isInTheWay, parseSocketTable } from "../../../../src/linux/socket-table.ts";

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0A19FEA9:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:2936 0100007F:A0F0 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
`;
const UDP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  17: B80D0120000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 99 2 0000000000000000 0
`;

describe("socket table", () => {
  test("listeners are read, connections are not", () => {
    expect(parseSocketTable(TCP, "TCP")).toEqual([
      { protocol: "TCP", address: "169.254.25.10" as Ip, port: 53, inode: "4711" },
    ]);
  });

  test("an IPv6 address is four words", () => {
    expect(parseSocketTable(UDP6, "UDP")).toEqual([
      { protocol: "UDP", address: "2001:db8::1" as Ip, port: 53, inode: "99" },
    ]);
  });

  test("what is no table is empty", () => {
    expect(parseSocketTable("", "TCP")).toEqual([]);
    expect(parseSocketTable(TCP.replace("0A19FEA9", "0A19FEAG"), "TCP")).toEqual([]);
    expect(parseSocketTable(TCP.replace(":0035", ":"), "TCP")).toEqual([]);
    expect(parseSocketTable("header\ngarbage\n 0: zz:1 x 0A\n", "TCP")).toEqual([]);
  });

  test("a listener on all addresses is in the way of each", () => {
    const on = (address: string) => ({ protocol: "UDP", address: address as Ip, port: 53, inode: "1" }) as const;
    const v4 = "169.254.25.10" as Ip;
    const v6 = "fd00::10" as Ip;
    expect(isInTheWay(on("0.0.0.0"), v4, 53)).toBe(true);
    expect(isInTheWay(on("0.0.0.0"), v6, 53)).toBe(false);
    expect(isInTheWay(on("::"), v4, 53)).toBe(true);
    expect(isInTheWay(on("::"), v6, 53)).toBe(true);
    expect(isInTheWay(on("169.254.25.10"), v4, 53)).toBe(true);
    expect(isInTheWay(on("127.0.0.53"), v4, 53)).toBe(false);
    expect(isInTheWay(on("0.0.0.0"), v4, 5353)).toBe(false);
  });
});
