import { parseFieldSelector, parseLabelSelector } from "../../../cloud/hub/selector.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const OBJECT = { metadata: { name: "web", namespace: "shop", labels: { app: "web", tier: "1" } } };
const BARE = { metadata: { name: "bare" } };

export const target: FuzzTarget = {
  mostBytes: 256,
  form: "text",
  words: [
    "app",
    "tier",
    " in (",
    " notin (",
    ")",
    ",",
    "=",
    "==",
    "!=",
    "!",
    "metadata.name",
    "metadata.namespace",
    "web",
    "shop",
  ],
  run: (input) => {
    const text = textOf(input);
    const [labels, fields] = [parseLabelSelector(text), parseFieldSelector(text)];
    for (const read of [labels, fields]) {
      if (!read.ok) hold(read.error.length < 400, "a reason without an end");
    }
    const outcome = (read: typeof labels) =>
      read.ok ? [OBJECT, BARE].map((object) => (read.value(object) ? "meets" : "fails")).join(" ") : "refused";
    return `${outcome(labels)} / ${outcome(fields)}`;
  },
};
