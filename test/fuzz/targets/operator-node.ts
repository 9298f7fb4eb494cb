import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { parseClusterNode } from "../../../src/kube/objects/cluster-node.ts";
import { hold, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const FILTER = { labels: new Set(["role"]), annotations: (name: string) => name.startsWith("fabedge.io/") };

export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    ...[
      '"metadata":',
      '"labels":',
      '"annotations":',
      '"role":',
      '"fabedge.io/subnets":',
      '"__proto__":',
      '"constructor":',
    ],
    ...['"status":', '"addresses":', '"InternalIP"', '"podCIDRs":', '"10.1.0.0/24"', '"fd00::/64"', "{", "}", "[", "]"],
  ],
  run: (input) => {
    const node = parseClusterNode(parseJsonText(textOf(input)), FILTER);
    if (!node.ok) return `refused: ${withoutNumbers(node.error.why).slice(0, 40)}`;
    const { name, labels, annotations } = node.value;
    hold(/^[^/\s]+$/.test(name), `name ${name}`);
    hold(
      Object.keys(labels).every((key) => FILTER.labels.has(key)),
      "a label that nobody asked for",
    );
    hold(Object.keys(annotations).every(FILTER.annotations), "an annotation that nobody asked for");
    hold(Object.getPrototypeOf(labels) === Object.prototype, "labels with a prototype of their own");
    return `read, ${Object.keys(annotations).length > 0 ? "annotated" : "bare"}`;
  },
};
