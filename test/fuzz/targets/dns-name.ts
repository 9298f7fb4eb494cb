import {
  decodeName,
  formatName,
  lowerName,
  MAX_LABEL_BYTES,
  MAX_NAME_BYTES,
  nameLabels,
  parseName,
} from "../../../src/wire/dns-name.ts";
import { skipName } from "../../../src/wire/dns-query.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** The first byte says where in the message the name begins. */
export const target: FuzzTarget = {
  mostBytes: 600,
  form: "big-endian",
  run: (input) => {
    const start = input[0] ?? 0;
    const decoded = decodeName(input, start);
    if (!decoded.ok) return start <= input.length ? refused(decoded.error, input) : "beyond the end";
    const { name, next } = decoded.value;
    hold(next > start && next <= input.length, `a name from ${start} to ${next}`);
    hold(name.length <= MAX_NAME_BYTES, `a name of ${name.length} bytes`);
    const labels = nameLabels(name);
    hold(
      labels.every((label) => label.length > 0 && label.length <= MAX_LABEL_BYTES),
      "a label of no length",
    );
    hold(lowerName(name).length === name.length, "a name of another length in lower case");
    hold(skipName(input, start) === next, `skipped to ${skipName(input, start)}, read to ${next}`);
    holdSame(unwrap(parseName(formatName(name)), "what we print"), name, "printed and read again");
    return `${Math.min(labels.length, 8)} labels${next - start < name.length ? ", compressed" : ""}`;
  },
};
