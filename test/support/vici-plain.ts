import { ViciSection } from "../../src/wire/vici-message.ts";

export type PlainSection = { [name: string]: Uint8Array | readonly Uint8Array[] | PlainSection };

/** A message as what encodes it again: values stay bytes. */
export function plainSection(section: ViciSection): PlainSection {
  const entries = [...section.entries()].map(([name, value]) => [
    name,
    value instanceof ViciSection ? plainSection(value) : value,
  ]);
  return Object.fromEntries(entries) as PlainSection;
}
