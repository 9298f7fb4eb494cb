import { formatSnapshot, parseSnapshot } from "../../../cloud/connector/snapshot.ts";
import { hold, holdSame, textOf, unwrap, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What a connector has left for its next run, and a crash or another version may have spoiled. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    '"version":1',
    '"documents":{}',
    '"connector-config":"name: a"',
    '"credentials":{"certificates":"c","key":"k","authorities":"a"}',
    '"place":{"uid":"u","addresses":["10.0.0.1"],"prefixes":[]}',
    '"publications":{}',
    "null",
    "{",
    "}",
  ],
  run: (input) => {
    const read = parseSnapshot(textOf(input));
    if (!read.ok) {
      hold(read.error.why.length < 3000, "a reason without an end");
      return `refused: ${withoutNumbers(read.error.why).slice(0, 32)}`;
    }
    const { documents, credentials, place, publications } = read.value;
    const text = formatSnapshot(read.value);
    holdSame(formatSnapshot(unwrap(parseSnapshot(text), "its own text")), text, "the snapshot");
    return `${documents.size} documents, ${credentials?.key === undefined ? "no" : "a"} key, ${
      place === undefined ? "nowhere" : "somewhere"
    }, ${publications.size} publications`;
  },
};
