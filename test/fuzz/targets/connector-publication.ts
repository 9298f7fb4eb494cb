import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { parsePublication, parsePublicationText } from "../../../src/kube/objects/connector-publication.ts";
import { formatPublication, planHolders } from "../../../src/network/connector-claims.ts";
import { hold, holdSame, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What a connector says, as the text that it wrote and inside its ConfigMap: what is read is the same written again. */
export const target: FuzzTarget = {
  mostBytes: 640,
  form: "json",
  words: [
    '"version":1',
    '"node":"c1"',
    '"address":"10.0.0.1"',
    '"prefixes":["10.244.1.0/24"]',
    '"edges":[]',
    '{"name":"a.e1","claim":1}',
    '"claim":281474976710656',
    '"subnets":["fd00::/64"]',
    '"nodeSubnets":["192.0.2.1"]',
    "[",
    "]",
    "{",
    "}",
  ],
  run: (input) => {
    const text = textOf(input);
    const published = parsePublicationText(text, "c1");
    const metadata = { namespace: "fabedge", name: "fabedge-connector-c1" };
    holdSame(parsePublication({ metadata, data: { "edges.json": text } }), published, "in its ConfigMap");
    if (!published.ok) return `refused: ${withoutNumbers(published.error.why).slice(0, 40)}`;
    hold(!parsePublication(parseJsonText(text)).ok, "a ConfigMap that is a publication");
    const again = parsePublicationText(formatPublication(published.value), "c1");
    hold(again.ok, "its own text is refused");
    holdSame(formatPublication(again.value), formatPublication(published.value), "the publication");
    hold(planHolders([published.value]).size === published.value.edges.length, "an edge without a holder");
    return `${Math.min(published.value.edges.length, 3)} edges`;
  },
};
