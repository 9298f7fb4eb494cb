import { parseJson } from "../json-view.ts";
import { NAME_LENGTH_MAX } from "./metadata.ts";

/** Nodes and pods have half a dozen, custom resources a few. */
const CONDITIONS_MAX = 64;

/** metav1.Condition and its older kin, as far as it is looked at. */
export interface ObjectCondition {
  /** "True", "False" or "Unknown". */
  readonly status: string;
  readonly lastTransitionTime: string;
}

/** @returns undefined where the object has no condition of that type that can be read: the rest of it still counts */
export function readCondition(json: unknown, type: string): ObjectCondition | undefined {
  const found = parseJson(json, (object) =>
    object
      .field("status")
      .field("conditions")
      .array(CONDITIONS_MAX)
      .filter((condition) => condition.field("type").optionalString(NAME_LENGTH_MAX) === type)
      .map((condition) => ({
        status: condition.field("status").string(NAME_LENGTH_MAX),
        lastTransitionTime: condition.field("lastTransitionTime").optionalString(NAME_LENGTH_MAX) ?? "",
      })),
  );
  return found.ok ? found.value[0] : undefined;
}
