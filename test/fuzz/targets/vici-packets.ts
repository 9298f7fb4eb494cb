import {
  decodeViciPacket,
  encodeViciPacket,
  type ViciOutgoing,
  type ViciPacket,
  ViciPacketReader,
} from "../../../src/wire/vici.ts";
import { type PlainSection, plainSection } from "../../support/vici-plain.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** Packets that come in pieces, beside the same stream at once; and each read, written and read again. */
export const target: FuzzTarget = {
  mostBytes: 256,
  form: "big-endian",
  words: ["list-sas", "ike-updown", Uint8Array.of(0, 0, 0, 1, 2)],
  run: (input) => {
    const step = 1 + (input.length % 17);
    const [pieces, whole] = [read(input, step), read(input, input.length)];
    holdSame(pieces, whole, "in pieces and at once");
    const [packets, why] = whole;
    hold(5 * packets.length <= input.length, `${packets.length} packets in ${input.length} bytes`);
    return why ?? `${Math.min(packets.length, 3)} packets, the last ${packets.at(-1)?.type ?? "cut"}`;
  },
};

/** As it is written again. */
interface PlainPacket {
  readonly type: ViciPacket["type"];
  readonly name?: string;
  readonly fields?: PlainSection;
}

function read(
  input: Uint8Array,
  step: number,
): readonly [packets: readonly PlainPacket[], refusal: string | undefined] {
  const reader = new ViciPacketReader();
  const packets: PlainPacket[] = [];
  for (let at = 0; at < input.length; at += step) {
    // Of a piece that ends in a refusal nothing is given out: so what came before it depends on the pieces.
    const pushed = reader.push(input.subarray(at, at + step));
    if (!pushed.ok) return [[], refused(pushed.error, input)];
    packets.push(...pushed.value.map(plain));
  }
  for (const packet of packets) again(packet);
  return [packets, undefined];
}

function plain(packet: ViciPacket): PlainPacket {
  return {
    type: packet.type,
    ...("name" in packet && { name: packet.name }),
    ...("message" in packet && { fields: plainSection(packet.message) }),
  };
}

function again(packet: PlainPacket): void {
  // What is no UTF-8 is longer when it is written again.
  if (JSON.stringify(packet).includes("\ufffd")) return;
  const written = encodeViciPacket(packet as ViciOutgoing);
  holdSame(
    plain(unwrap(decodeViciPacket(written.subarray(4)), "what we write")),
    packet,
    "read, written and read again",
  );
}
