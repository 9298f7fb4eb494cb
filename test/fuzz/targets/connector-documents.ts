import {
  joinConnectorConfig,
  parseConnectorDocument,
  parseConnectorText,
} from "../../../src/kube/objects/connector-documents.ts";
import { hold, holdSame, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** The first line is the ConfigMap's name, the rest its text. */
export const target: FuzzTarget = {
  mostBytes: 320,
  form: "text",
  words: ["connector-config", "-00", "-07\n", "\n", "peers:", "peerShards: 1", "name: a", "- ", "[]", "10.0.0.0/24"],
  run: (input) => {
    const [name = "", ...lines] = textOf(input).split("\n");
    const text = lines.join("\n");
    const read = parseConnectorText(name, text);
    const whole = parseConnectorDocument({ metadata: { namespace: "f", name }, data: { "tunnels.yaml": text } });
    if (whole.ok && whole.value !== undefined) holdSame(whole, read, "in its ConfigMap");
    if (!read.ok) return `refused: ${withoutNumbers(read.error.why).slice(0, 24)}`;
    if (read.value === undefined) return "another ConfigMap";
    const joined = joinConnectorConfig([read.value]);
    hold(read.value.kind === "config" || joined === undefined, "peers that are a configuration");
    if (read.value.kind === "peers") return `${Math.min(read.value.peers.length, 2)} peers`;
    hold((joined === undefined) === read.value.config.peerShards > 0, "a whole that is not there");
    return joined === undefined ? "a part" : "a configuration";
  },
};
