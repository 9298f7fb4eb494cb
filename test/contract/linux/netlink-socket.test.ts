import { expect, test } from "bun:test";
import { errorCode } from "../../../src/base/errors.ts";
import { ok } from "../../../src/base/result.ts";
import { NetlinkEvents } from "../../../src/linux/netlink-events.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from "../../../src/linux/netlink-socket.ts";
import { AttributeReader } from "../../../src/wire/attribute-reader.ts";
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "../../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../../src/wire/netlink-writer.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

const RTM_GETLINK = 18;
const RTM_DELLINK = 17;
const IFLA_IFNAME = 3;
const RTNLGRP_LINK = 1;
/** An attribute that no kernel knows, so that it skips it. */
const PADDING = 60;

function linkNames(socket: NetlinkSocket): string[] {
  return socket.request(
    "list links",
    (writer, sequence) => {
      writer.beginMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence);
      for (let i = 0; i < 4; i++) writer.u32(0);
      writer.endMessage();
    },
    (message) => {
      const attributes = new AttributeReader(message.payload, 16);
      while (attributes.next()) if (attributes.type === IFLA_IFNAME) return ok(attributes.text());
      return ok(undefined);
    },
  );
}

function deleteLink(writer: NetlinkWriter, sequence: number, index: number): void {
  writer.beginMessage(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, sequence);
  writer.u32(0);
  writer.u32(index);
  writer.u32(0);
  writer.u32(0);
  writer.endMessage();
}

/** An nfnetlink batch (linux/netfilter/nfnetlink.h) that asks for a table that is not there, `count` times. */
function batchOfFailures(count: number, padding: Uint8Array): { batch: Uint8Array; first: number } {
  const writer = new NetlinkWriter();
  const generic = (type: number, flags: number, sequence: number, resource: number) => {
    writer.beginMessage(type, flags, sequence);
    writer.octets(2, 0, 0, resource);
  };
  generic(0x10, NLM_F_REQUEST, 0, 10);
  writer.endMessage();
  for (let i = 0; i < count; i++) {
    generic(0xa02, NLM_F_REQUEST | NLM_F_ACK, 100 + i, 0);
    writer.attrText(1, "absent");
    writer.attrBytes(PADDING, padding);
    writer.endMessage();
  }
  generic(0x11, NLM_F_REQUEST, 0, 10);
  writer.endMessage();
  return { batch: writer.bytes(), first: 100 };
}

inNamespace(import.meta.path, () => {
  test("a dump returns what ip shows, over several datagrams", () => {
    for (let i = 0; i < 60; i++) run("ip", "link", "add", `br${i}`, "type", "bridge");
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const oracle = JSON.parse(run("ip", "-json", "link", "show")) as { ifname: string }[];
    expect(linkNames(socket)).toEqual(oracle.map((link) => link.ifname));
    expect(oracle.length).toBeGreaterThan(60);
    socket.close();
  });

  test("a refusal carries the errno's name, what was tried and the kernel's sentence", () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const attempt = () =>
      socket.request("delete link 4711", (writer, sequence) => {
        writer.beginMessage(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, sequence);
        for (let i = 0; i < 4; i++) writer.u32(i === 1 ? 4711 : 0);
        writer.attrU8(13, 1);
        writer.endMessage();
      });
    expect(attempt).toThrow(
      "Cannot delete link 4711 as the kernel refuses: ERANGE (Attribute failed policy validation)",
    );
    try {
      socket.request("delete link 4711", (writer, sequence) => deleteLink(writer, sequence, 4711));
      expect.unreachable();
    } catch (error) {
      expect(errorCode(error)).toBe("ENODEV");
    }
    expect(linkNames(socket)).toContain("lo");
    socket.close();
  });

  test("a failed decoder leaves the socket usable", () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    const attempt = () =>
      socket.request(
        "list links",
        (writer, sequence) => {
          writer.beginMessage(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence);
          for (let i = 0; i < 4; i++) writer.u32(0);
          writer.endMessage();
        },
        () => ({ ok: false, error: { at: 3, why: "odd" } }),
      );
    expect(attempt).toThrow("Cannot list links as the kernel's answer is not understood: odd, at 3");
    expect(linkNames(socket)).toContain("lo");
    socket.close();
  });

  test("the answer to another request is not taken for ours", () => {
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    run("ip", "link", "add", "doomed", "type", "bridge");
    const [doomed] = JSON.parse(run("ip", "-json", "link", "show", "doomed")) as { ifindex: number }[];
    socket.request("delete a link", (writer, sequence) => {
      deleteLink(writer, sequence + 1000, 4711);
      deleteLink(writer, sequence, doomed?.ifindex ?? 0);
    });
    expect(linkNames(socket)).not.toContain("doomed");
    socket.close();
  });

  test("a batch of several megabytes goes in one piece and every failure comes back with its number", () => {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    const { batch, first } = batchOfFailures(100, new Uint8Array(60_000));
    expect(batch.length).toBeGreaterThan(6_000_000);
    const acks = socket.transact("delete tables", batch);
    expect(acks.map((ack) => ack.sequence)).toEqual(Array.from({ length: 100 }, (_, i) => first + i));
    expect(new Set(acks.map((ack) => ack.errno))).toEqual(new Set([2]));
    socket.close();
  });

  test("answers that do not fit the receive buffer are an error and not a silence", () => {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    const { batch } = batchOfFailures(40_000, new Uint8Array(4));
    expect(() => socket.transact("delete tables", batch)).toThrow("ENOBUFS");
    socket.close();
  });

  test("a process without the capability gets EPERM and a hint", () => {
    const program = `
      const { NetlinkSocket } = await import("${import.meta.dir}/../../../src/linux/netlink-socket.ts");
      const socket = new NetlinkSocket(0);
      try {
        socket.request("delete link 1", (writer, sequence) => {
          writer.beginMessage(17, 5, sequence);
          for (const word of [0, 1, 0, 0]) writer.u32(word);
          writer.endMessage();
        });
      } catch (error) { console.log(error.code, error.retry, error.hint); }`;
    const drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    expect(run(...drop, process.execPath, "-e", program)).toContain("EPERM never Run as root");
  });

  test("link events arrive while the process does nothing else", async () => {
    let seen = 0;
    const events = await NetlinkEvents.open(NETLINK_ROUTE, [RTNLGRP_LINK], {
      onMessages: (messages) => {
        seen += messages.filter((message) => message.type === 16).length;
      },
      onOverflow: () => expect.unreachable(),
      onFailure: () => expect.unreachable(),
    });
    run("ip", "link", "set", "lo", "mtu", "1501");
    await waitFor("the event", () => seen === 1);
    run("ip", "link", "set", "lo", "mtu", "1502");
    await waitFor("the next event", () => seen === 2);
    events.close();
  });

  test("after an overflow the subscriber is told once and sees what follows", async () => {
    let seen = 0;
    let overflows = 0;
    const handler = {
      onMessages: () => {
        seen += 1;
      },
      onOverflow: () => {
        overflows += 1;
      },
      onFailure: () => expect.unreachable(),
    };
    const events = await NetlinkEvents.open(NETLINK_ROUTE, [RTNLGRP_LINK], handler, 2048);
    // Synchronous: the event loop cannot read in between.
    for (let i = 0; i < 20; i++) run("ip", "link", "set", "lo", "mtu", String(1600 + i));
    await waitFor("the overflow", () => overflows === 1);
    const before = seen;
    run("ip", "link", "set", "lo", "mtu", "1700");
    await waitFor("an event after the overflow", () => seen > before);
    expect(overflows).toBe(1);
    events.close();
  });
});
