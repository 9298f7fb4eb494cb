import { describe, expect, test } from "bun:test";
import { parseLinkMessage } from "netlink/dist/rt/structs";
import { decodeMessages, type NetlinkMessage } from "../../../../src/wire/netlink.ts";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";
import {
  decodePodLink,
  encodeBridgeCreate,
  encodeHairpin,
  encodeLinkChange,
  encodeVethCreate,
} from "../../../../src/wire/rtnetlink-pod-link.ts";
import { decodeQdisc, encodeTokenBucket } from "../../../../src/wire/rtnetlink-qdisc.ts";

function encoded(encode: (writer: NetlinkWriter) => void): NetlinkMessage {
  const writer = new NetlinkWriter();
  encode(writer);
  const messages = decodeMessages(writer.bytes());
  const [only] = messages.ok ? messages.value : [];
  if (only === undefined) throw new Error("not one message");
  return only;
}

const MAC = Uint8Array.of(0x0a, 0x58, 10, 1, 7, 1);
const oracle = (message: NetlinkMessage) => parseLinkMessage(Buffer.from(message.payload));

describe("links of pods", () => {
  test("a bridge is asked for up, with its address and MTU", () => {
    const message = encoded((w) => encodeBridgeCreate(w, 1, { name: "br-fabedge", mtu: 1400, hardwareAddress: MAC }));
    const { data, attrs } = oracle(message);
    expect(data.flags).toMatchObject({ up: true });
    expect(attrs).toMatchObject({ ifname: "br-fabedge", mtu: 1400 });
    expect(decodePodLink(message)).toMatchObject({ ok: true, value: { kind: "bridge", hardwareAddress: MAC } });
  });

  test("an MTU of 0 is the kernel's to choose", () => {
    const message = encoded((w) => encodeBridgeCreate(w, 1, { name: "b", mtu: 0, hardwareAddress: MAC }));
    expect(oracle(message).attrs.mtu).toBeUndefined();
  });

  test("a veth is asked for with both ends, the other one in its namespace", () => {
    const peer = { name: "eth0", namespace: 9 };
    const message = encoded((w) => encodeVethCreate(w, 1, { name: "veth1", mtu: 1400, master: 7, peer }));
    expect(oracle(message).attrs).toMatchObject({ ifname: "veth1", master: 7, mtu: 1400 });
    const { payload } = message;
    const text = Buffer.from(payload).toString("latin1");
    // IFLA_NET_NS_FD, inside the peer.
    expect(text.slice(text.indexOf("eth0\0"))).toContain("\x08\x00\x1c\x00\x09\x00\x00\x00");
  });

  test("a change names the link by its index and touches nothing else", () => {
    const { data, attrs } = oracle(encoded((w) => encodeLinkChange(w, 1, 7, { alias: "selvedge n c eth0" })));
    expect(data.index).toBe(7);
    expect(data.change).toEqual({});
    expect(attrs).toEqual({ ifalias: "selvedge n c eth0" });
  });

  test("hairpin goes to the bridge's part of the kernel", () => {
    const { payload } = encoded((w) => encodeHairpin(w, 1, 7, true));
    // AF_BRIDGE; IFLA_PROTINFO, nested; IFLA_BRPORT_MODE.
    expect([payload[0], ...payload.subarray(16)]).toEqual([7, 12, 0, 12, 0x80, 5, 0, 4, 0, 1, 0, 0, 0]);
  });
});

describe("token buckets", () => {
  test.each([1, 1_000_000, 0xffffffff, 125_000_000_000_000])("of %d bytes a second are read back", (bytesPerSecond) => {
    const bucket = { linkIndex: 7, bytesPerSecond, burstBytes: 100_000, limitBytes: 200_000 };
    const message = encoded((w) => encodeTokenBucket(w, 1, bucket));
    expect(decodeQdisc(message)).toEqual({ ok: true, value: { linkIndex: 7, kind: "tbf", bytesPerSecond } });
  });
});
