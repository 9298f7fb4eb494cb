import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Family } from "../../../src/base/ip.ts";
import { deleteConntrack, IPPROTO_UDP, listConntrack, readConntrackUse } from "../../../src/linux/conntrack.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import type { ConntrackEntry } from "../../../src/wire/conntrack.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

/** "src dst sport dport" of both directions, from the lines of `conntrack -L`. */
function oracle(family: Family): string[] {
  const out = run("conntrack", "-L", "-f", family === 4 ? "ipv4" : "ipv6", "-p", "udp");
  return out
    .split("\n")
    .filter((line) => line.startsWith("udp"))
    .map((line) => [...line.matchAll(/\b(?:src|dst|sport|dport)=(\S+)/g)].map((m) => m[1]).join(" "))
    .sort();
}

function asOracle(entries: readonly ConntrackEntry[]): string[] {
  return entries
    .flatMap((e) => [[e.original, e.reply]])
    .map((pair) => pair.flatMap((t) => [t?.source, t?.destination, t?.sourcePort, t?.destinationPort]).join(" "))
    .sort();
}

/** An entry made by hand, with the answers of another address: what DNAT leaves behind. */
function insert(family: Family, port: number, service: string, endpoint: string, ...more: string[]): void {
  const client = family === 4 ? "127.0.0.9" : "fd00::9";
  const words = ["-s", client, "-d", service, "-r", endpoint, "-q", client, "-p", "udp", "--sport", String(port)];
  const ports = ["--dport", "53", "--reply-port-src", "5353", "--reply-port-dst", String(port)];
  run("conntrack", "-I", ...words, ...ports, "-t", "120", "-u", "ASSURED", ...more);
}

inNamespace(import.meta.path, () => {
  let socket: NetlinkSocket;
  beforeAll(() => {
    socket = new NetlinkSocket(NETLINK_NETFILTER);
  });
  afterAll(() => socket.close());

  test.each([
    [4, "10.96.0.10", "10.244.1.5"],
    [6, "fd00:96::10", "fd00:244::5"],
  ] as const)("IPv%i: the list is conntrack's, and one entry can be deleted", (family, service, endpoint) => {
    for (const port of [1001, 1002, 1003]) insert(family, port, service, endpoint);
    insert(family, 1004, service, endpoint, "-w", "7");
    run(
      "conntrack",
      "-I",
      "-s",
      service,
      "-d",
      endpoint,
      "-p",
      "tcp",
      "--sport",
      "1",
      "--dport",
      "2",
      "-t",
      "60",
      "--state",
      "ESTABLISHED",
    );
    const entries = listConntrack(socket, family, IPPROTO_UDP);
    expect(asOracle(entries)).toEqual(oracle(family));
    expect(entries.length).toBe(4);
    expect(entries.map((e) => e.zone).sort()).toEqual([0, 0, 0, 7]);

    const doomed = entries.filter((e) => e.original.sourcePort === 1002 || e.zone === 7);
    expect(doomed.every((e) => e.original.destination === service && e.reply.source === endpoint)).toBe(true);
    expect(deleteConntrack(socket, doomed)).toBe(2);
    expect(oracle(family).map((line) => line.split(" ")[2])).toEqual(["1001", "1003"]);
    expect(deleteConntrack(socket, doomed)).toBe(0);
    run("conntrack", "-F");
  });

  test("an entry that has another id, as one that took its place has, is not deleted", () => {
    insert(4, 1001, "10.96.0.10", "10.244.1.5");
    const entries = listConntrack(socket, 4, IPPROTO_UDP).map((entry) => ({ ...entry, id: entry.id ^ 1 }));
    expect(deleteConntrack(socket, entries)).toBe(0);
    expect(oracle(4).length).toBe(1);
    run("conntrack", "-F");
  });

  test("more deletions than one batch holds all happen, and nothing else", () => {
    const count = 2500;
    const load = Bun.spawnSync(["conntrack", "--load-file", "-"], { stdin: Buffer.from(insertions(count)) });
    expect(load.exitCode).toBe(0);
    const entries = listConntrack(socket, 4, IPPROTO_UDP);
    expect(entries.length).toBe(count);
    expect(readConntrackUse()?.count).toBe(count);
    expect(deleteConntrack(socket, entries.slice(1))).toBe(count - 1);
    expect(readConntrackUse()?.count).toBe(1);
    run("conntrack", "-F");
  });

  test("the size of the table is what the kernel says", () => {
    expect(readConntrackUse()?.limit).toBe(Number(run("sysctl", "-n", "net.netfilter.nf_conntrack_max")));
  });
});

/** Lines for `conntrack --load-file`. */
function insertions(count: number): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const port = 10_000 + i;
    return `-I -s 127.0.0.9 -d 10.96.0.10 -r 10.244.1.5 -q 127.0.0.9 -p udp --sport ${port} --dport 53 --reply-port-src 53 --reply-port-dst ${port} -t 120 -u ASSURED`;
  });
  return `${lines.join("\n")}\n`;
}
