import { parseKubeconfig } from "../../../src/kube/kubeconfig.ts";
import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** As JSON, which is read a few times faster than YAML and gives the same values. */
export const target: FuzzTarget = {
  mostBytes: 1536,
  form: "json",
  words: ['"token":', '"tokenFile":', '"exec":', '"client-key-data":', '"current-context":', '"a"', '"=="', '"a2V5"'],
  run: (input) => {
    const json = parseJsonText(textOf(input));
    const read = parseKubeconfig(json);
    if (!read.ok) {
      hold(read.error.why.length < 300_000, "a reason without an end");
      return json === undefined ? "no JSON" : `refused: ${read.error.why.replace(/".*"/s, "it")}`;
    }
    const { server, ca, cert, key, token } = read.value;
    hold(server.length <= 2048, `a server of ${server.length} characters`);
    for (const material of [ca, cert, key, token]) {
      const text = material?.from === "file" ? material.path : material?.text;
      hold(material === undefined || text !== "", "material that is empty");
    }
    return `read, ${token === undefined ? "no token" : `token of ${token.from}`}, ${cert?.from ?? "no"} certificate`;
  },
};
