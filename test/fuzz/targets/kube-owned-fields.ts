import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { canonicalText, contentDigest, ownedPart } from "../../../src/kube/owned-fields.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What a manager applied of an object is in the object, and its one text is the one text of what that text says. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    '"metadata":{"managedFields":[{"manager":"us","operation":"Apply","fieldsV1":{}}]}',
    '"f:data":{"f:k":{}}',
    '"f:data":{".":{}}',
    '"k:{\\"name\\":\\"a\\"}":{".":{},"f:image":{}}',
    '"v:\\"a\\"":{}',
    '"i:0":{}',
    '"data":{"k":"v"}',
    '"data":[{"name":"a","image":"b"}]',
    "{}",
    "[]",
    "null",
  ],
  run: (input) => {
    const object = parseJsonText(textOf(input));
    const part = ownedPart(object, "us");
    const text = canonicalText(part);
    hold(canonicalText(parseJsonText(text)) === text, "a text that is not its own");
    hold(contentDigest(part).length === 44, "a digest of another length");
    if (part === undefined) return object === undefined ? "no JSON" : "nothing";
    hold(text.length <= canonicalText(object).length, "more than there is");
    return text === "null" ? "nothing but empty things" : `${Math.min(text.length >> 4, 4)}`;
  },
};
