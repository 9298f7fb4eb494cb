import type { Family } from "../base/ip.ts";
import type { Expression } from "./nftables-expression.ts";

/** A packet's field that can be part of a key. */
export type Field =
  | "saddr"
  | "daddr"
  | "original-daddr"
  | "l4proto"
  | "dport"
  | "sport"
  | "original-dport"
  | "iif"
  | "oif"
  | { readonly random: number; readonly offset: number };

/** The number of the register that begins at the given word of the 64 bytes (see Expression). */
export function registerAt(word: number): number {
  return word % 4 === 0 ? 1 + word / 4 : 8 + word;
}

/** Loads fields one behind the other, as a key of concatenated types has them. */
export function loads(family: Family, fields: readonly Field[], firstWord = 0): readonly Expression[] {
  let word = firstWord;
  return fields.map((field) => {
    const expression = load(family, field, registerAt(word));
    word += isAddress(field) && family === 6 ? 4 : 1;
    return expression;
  });
}

function isAddress(field: Field): boolean {
  return field === "saddr" || field === "daddr" || field === "original-daddr";
}

function load(family: Family, field: Field, register: number): Expression {
  if (typeof field === "object") return { name: "numgen", register, modulus: field.random, offset: field.offset };
  const address = (offset4: number, offset6: number): Expression => ({
    name: "payload",
    register,
    base: "network",
    offset: family === 4 ? offset4 : offset6,
    length: family === 4 ? 4 : 16,
  });
  switch (field) {
    case "saddr":
      return address(12, 8);
    case "daddr":
      return address(16, 24);
    case "dport":
      // TCP, UDP and SCTP all have it at the same place.
      return { name: "payload", register, base: "transport", offset: 2, length: 2 };
    case "sport":
      return { name: "payload", register, base: "transport", offset: 0, length: 2 };
    case "original-daddr":
      return { name: "ct", register, key: family === 4 ? "destination-4" : "destination-6", original: true };
    case "original-dport":
      return { name: "ct", register, key: "destination-port", original: true };
    case "l4proto":
    case "iif":
    case "oif":
      return { name: "meta", register, key: field };
  }
}

/** @param into a register for the value of a map: 0 obeys it as a verdict */
export function lookup(set: string, into?: number): Expression & { readonly name: "lookup" } {
  return { name: "lookup", register: 1, set, ...(into === undefined ? {} : { into }) };
}

/** Translates to the address and port that the map has for the key; when it has none, the next rule's turn comes. */
export function dnat(family: Family, key: readonly Field[], map: string): readonly Expression[] {
  const port = registerAt(family === 4 ? 1 : 4);
  return [...loads(family, key), lookup(map, 1), { name: "dnat", family, address: 1, port }];
}

export function match(key: "l4proto" | "oifname", value: Uint8Array): readonly Expression[] {
  return [
    { name: "meta", register: 1, key },
    { name: "cmp", register: 1, equal: true, value },
  ];
}
