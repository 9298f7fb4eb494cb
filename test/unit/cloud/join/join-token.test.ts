import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatToken,
  parseToken,
  refusal,
  TOKEN_LENGTH_MAX,
  type TokenRecord,
} from "../../../../cloud/join/join-token.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const RECORD: TokenRecord = { node: "shop.edge1", hash: "aa11", expires: 1000, key: undefined };
const SHOWN = { node: "shop.edge1", hash: "aa11", key: "k1" };

test("a token goes through its text, whatever dots its node's name has", () => {
  const token = { node: "shop.edge1", secret: SECRET };
  expect(parseToken(formatToken(token))).toEqual({ ok: true, value: token });
});

test.each(["", ".", SECRET, `.${SECRET}`, `edge1.${SECRET}0`, `Edge1.${SECRET}`, `edge1.${SECRET.toUpperCase()}`])(
  '"%s" is no token',
  (text) => expect(parseToken(text)).toMatchObject({ ok: false, error: { at: "join token" } }),
);

test("a token that is too long is not looked at", () => {
  expect(parseToken("a".repeat(TOKEN_LENGTH_MAX + 1))).toMatchObject({ ok: false });
});

test("no text makes it throw", () => {
  fc.assert(fc.property(fc.string(), (text) => typeof parseToken(text).ok === "boolean"));
});

test("a token is taken for its node, with its secret, until it ends", () => {
  expect(refusal(RECORD, SHOWN, 999)).toBeUndefined();
  expect(refusal(RECORD, SHOWN, 1000)).toBe("it ended at 1970-01-01T00:00:01.000Z");
});

test.each([
  ["another node", RECORD, "shop.edge2", "aa11"],
  ["another secret", RECORD, "shop.edge1", "aa12"],
  ["the beginning of its secret", RECORD, "shop.edge1", "aa1"],
  ["a node that has none", undefined, "shop.edge1", "aa11"],
])("%s is refused with the same words", (_, record, node, hash) => {
  expect(refusal(record, { node, hash, key: "k1" }, 0)).toBe("it is not known, or was used");
});

test("a token that has let a key in is for that key alone, until it ends", () => {
  const bound = { ...RECORD, key: "k1" };
  expect(refusal(bound, SHOWN, 999)).toBeUndefined();
  expect(refusal(bound, SHOWN, 1000)).toContain("it ended");
  expect(refusal(bound, { ...SHOWN, key: "k2" }, 0)).toBe("it is not known, or was used");
});
