import { expect, test } from "bun:test";
import { NetlinkWriter } from "../../../../src/wire/netlink-writer.ts";
import { encodeProbeStateAdd, encodeProbeStateDelete } from "../../../../src/wire/xfrm.ts";

const PROBE = {
  source: Uint8Array.of(192, 0, 2, 1),
  destination: Uint8Array.of(192, 0, 2, 2),
  spi: 0x73656c76,
};

function written(encode: typeof encodeProbeStateAdd): string {
  const writer = new NetlinkWriter();
  encode(writer, 0x6b018d94, PROBE);
  return writer.bytes().toHex();
}

const zeros = (bytes: number) => "00".repeat(bytes);

test("an SA is added with the bytes that iproute2 6.1 sends", () => {
  // strace -e write=all ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x73656c76 mode tunnel
  //   aead 'rfc4106(gcm(aes))' 0x0000000000000000000000000000000000000000 128
  expect(written(encodeProbeStateAdd)).toBe(
    [
      ...["50010000", "1000", "0500", "948d016b", zeros(4)],
      ...[zeros(56), "c0000202", zeros(12), "73656c76", "32000000", "c0000201", zeros(12)],
      ...["ff".repeat(32), zeros(84), "0200", "01", zeros(9)],
      ...[
        "6000",
        "1200",
        Buffer.from("rfc4106(gcm(aes))").toString("hex"),
        zeros(47),
        "a0000000",
        "80000000",
        zeros(20),
      ],
    ].join(""),
  );
});

test("it is deleted by its address, number and protocol, as iproute2 names it", () => {
  // strace -e write=all ip xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x73656c76, but for its source
  expect(written(encodeProbeStateDelete)).toBe(
    ["28000000", "1100", "0500", "948d016b", zeros(4), "c0000202", zeros(12), "73656c76", "0200", "32", "00"].join(""),
  );
});
