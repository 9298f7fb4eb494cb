import { decodeAssociations } from "../../../src/strongswan/association-fields.ts";
import { decodeViciMessage, encodeViciMessage, ViciSection } from "../../../src/wire/vici-message.ts";
import { plainSection } from "../../support/vici-plain.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 256,
  form: "big-endian",
  words: ["child-sas", "uniqueid", "state", "yes", "local-ts", "local-host", "remote-host", "10.0.0.1"],
  run: (input) => {
    const decoded = decodeViciMessage(input);
    if (!decoded.ok) return refused(decoded.error, input);
    const depth = look(decoded.value, input);
    const plain = plainSection(decoded.value);
    // A name that is no UTF-8 is longer when it is written again.
    if (longestName(decoded.value) <= 255) {
      const again = decodeViciMessage(encodeViciMessage(plain));
      holdSame(plainSection(unwrap(again, "what we write")), plain, "read, written and read again");
    }
    const associations = decodeAssociations(decoded.value);
    hold(associations.length <= decoded.value.sections().length, "more SAs than sections");
    return associations.length > 0 ? "SAs" : `${depth} deep`;
  },
};

/** Asks for everything in every way. @returns how deep it goes */
function look(section: ViciSection, input: Uint8Array): number {
  let deepest = 0;
  for (const [name, value] of section.entries()) {
    const number = section.number(name);
    hold(number === undefined || Number.isSafeInteger(number), `a number of ${number}`);
    hold(section.flag(name) === (section.text(name) === "yes"), "a flag that is not its text");
    hold(section.list(name).length === (Array.isArray(value) ? value.length : 0), "a list that lost items");
    if (value instanceof ViciSection) {
      hold(section.section(name) === value, "a section that is not found by its name");
      deepest = Math.max(deepest, 1 + look(value, input));
    } else {
      for (const bytes of value instanceof Uint8Array ? [value] : value) {
        hold(bytes.byteOffset + bytes.length <= input.byteOffset + input.length, "a value beyond the message");
      }
    }
  }
  return deepest;
}

function longestName(section: ViciSection): number {
  const names = [...section.entries()].map(([name, value]) =>
    Math.max(Buffer.byteLength(name), value instanceof ViciSection ? longestName(value) : 0),
  );
  return Math.max(0, ...names);
}
