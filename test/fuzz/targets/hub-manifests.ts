import { parseManifestFile } from "../../../cloud/hub/manifests.ts";
import { hold, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 512,
  form: "json",
  words: [
    '"Service"',
    '"List"',
    '"v1"',
    '"Node"',
    '"apps/v1"',
    '"namespace":',
    '"items":[',
    '"None"',
    "{",
    "}",
    "]",
    ",",
    '"a b"',
    "---\n",
  ],
  run: (input) => {
    const text = textOf(input);
    const read = parseManifestFile(text);
    if (!read.ok) {
      const { line, reason } = read.error;
      hold(line >= 1 && line <= text.split("\n").length, `line ${line}`);
      // Without what it cites and the object's name, or each of them would become a seed.
      const kind = withoutNumbers(reason.replace(/".*"/s, "it")).split(": ").slice(-2).join(": ");
      return `refused: ${kind.split(" ", 2).join(" ")}`;
    }
    const { manifests, passedOver } = read.value;
    for (const { key, resource, object } of manifests) {
      hold(key.split("/").length === (resource.namespaced ? 2 : 1), `key ${key}`);
      hold(typeof object === "object", "an object that is none");
    }
    return `${Math.min(manifests.length, 3)} objects, ${Math.min(passedOver.length, 3)} passed over`;
  },
};
