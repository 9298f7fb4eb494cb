import { AttributeReader } from "../../../src/wire/attribute-reader.ts";
import { hold, refused } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const DEPTH = 4;

export const target: FuzzTarget = {
  mostBytes: 512,
  form: "little-endian",
  run: (input) => {
    const reader = new AttributeReader(input);
    const attributes = walk(reader, input.length, 0);
    return reader.fault === undefined ? `${Math.min(attributes, 8)} attributes` : refused(reader.fault, input);
  },
};

function walk(reader: AttributeReader, room: number, depth: number): number {
  let count = 0;
  while (reader.next()) {
    count += 1;
    hold(count <= room / 4, `more attributes than fit ${room} bytes`);
    hold(reader.size <= room - 4, `a value of ${reader.size} bytes in ${room}`);
    hold(reader.bytes().length === reader.size, "a value that is shorter than its size");
    hold(reader.type <= 0x3fff, "a type with its flags");
    hold(reader.text().length <= reader.size, "a text that is longer than its bytes");
    read(reader);
    if (depth < DEPTH) walk(reader.nested(), reader.size, depth + 1);
  }
  return count;
}

/** Each with the width that it has, or as a fault. */
function read(reader: AttributeReader): void {
  switch (reader.type & 7) {
    case 0:
      hold(reader.u8() <= 0xff, "u8");
      break;
    case 1:
      hold(reader.u16be() <= 0xffff, "u16");
      break;
    case 2:
      hold(reader.u32() >= 0, "u32");
      break;
    case 3:
      hold(reader.u32be() >= 0, "u32be");
      break;
    case 4:
      hold(reader.u64be() >= 0n, "u64be");
      break;
    case 5:
      hold(Number.isInteger(reader.i32()), "i32");
      break;
  }
}
