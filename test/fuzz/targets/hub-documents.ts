import { parseDocuments } from "../../../cloud/hub/documents.ts";
import { findDuplicateKey } from "../../../cloud/hub/duplicate-keys.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** A few lines: a mistake is looked for by reading beginnings of the text again. */
export const target: FuzzTarget = {
  mostBytes: 96,
  form: "text",
  words: [
    "\n",
    "---\n",
    "--- ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "|",
    ">",
    "&a ",
    "*a",
    "<<: ",
    "'",
    '"',
    "#",
    "!!str ",
    "? ",
    "\t",
    "a: 1\n",
  ],
  run: (input) => {
    const text = textOf(input);
    const lines = text.split(/\r?\n/).length;
    const read = parseDocuments(text);
    if (!read.ok) {
      const { line, reason } = read.error;
      hold(line >= 1 && line <= lines, `line ${line} of ${lines}`);
      // Without what it cites, or each citation would become a seed.
      return `refused: ${reason.replace(/".*"/s, "it").split(" ", 2).join(" ")}`;
    }
    for (const { line, value } of read.value) {
      hold(line >= 1 && line <= lines && value !== null, `a document on line ${line} of ${lines}`);
    }
    const twice = findDuplicateKey(["a: 1", ...text.split("\n")], (part) => Bun.YAML.parse(part));
    hold(twice === undefined || twice.line <= lines, "a key beyond the end");
    return `${Math.min(read.value.length, 3)} documents`;
  },
};
