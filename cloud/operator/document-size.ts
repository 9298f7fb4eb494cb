import { DATA_BYTES_MAX } from "../../src/kube/objects/config-map.ts";
import { type Desired, type DesiredConfigMap, present } from "./document.ts";
import type { Problem } from "./problem.ts";

/** What does not fit into a ConfigMap would be refused by the API server, and the old one is better than none. */
export function presentWhereItFits(object: DesiredConfigMap): Desired {
  const size = Object.entries(object.data).reduce((sum, [name, text]) => sum + name.length + text.length, 0);
  if (size <= DATA_BYTES_MAX) return present(object);
  const problem: Problem = {
    code: "DOCUMENT_TOO_LARGE",
    severity: "failed",
    message: `Cannot write ConfigMap ${object.name} as it would be larger than ${DATA_BYTES_MAX} bytes: current value is ${size}`,
    hint: "Make the communities smaller, or shorten the lists of public addresses; until then the node goes on with what it has.",
  };
  return { state: "held", problems: [problem] };
}
