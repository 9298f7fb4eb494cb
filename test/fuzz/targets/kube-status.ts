import { SelvedgeError } from "../../../src/base/errors.ts";
import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { compareResourceVersions } from "../../../src/kube/resource-version.ts";
import { parseRetryAfter, statusError, watchError } from "../../../src/kube/status.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What a refusal of the source says, and the versions that it may give. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: ['"code":', '"message":', '"reason":', "410", "429", "599", "600", '"', "{", "}"],
  run: (input) => {
    const text = textOf(input);
    const body = parseJsonText(text);
    const [list, watch] = [statusError("list", 403, body), watchError("watch", body)];
    hold(list instanceof SelvedgeError && watch instanceof SelvedgeError, "an error of another class");
    hold(list.message.length < 700 && watch.message.length < 700, "a message without an end");
    const after = parseRetryAfter(text.slice(0, 12)) ?? 0;
    hold(after >= 0 && after <= 120_000, `a pause of ${after} ms`);
    const [left = "", right = ""] = text.split(/\D+/, 2);
    const order = compareResourceVersions(left, right);
    const swapped = compareResourceVersions(right, left);
    hold(order === undefined || order + (swapped ?? Number.NaN) === 0, `${left} and ${right} in two orders`);
    return `${watch.code} ${order ?? "no order"}`;
  },
};
