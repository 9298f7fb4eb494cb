import { formatToken, parseToken } from "../../../cloud/join/join-token.ts";
import { parseSubjectLines } from "../../../src/certificate/distinguished-name.ts";
import { parseRetryAfter } from "../../../src/kube/status.ts";
import { parseDescriptorLimit } from "../../../src/linux/descriptor-limit.ts";
import { parsePublicAddress } from "../../../src/network/public-address.ts";
import { hold, holdSame, textOf, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** What is a line or two, through all that read such. */
export const target: FuzzTarget = {
  mostBytes: 320,
  form: "text",
  words: [
    "Max open files ",
    "unlimited",
    "1024",
    "\n",
    "=",
    "CN",
    "O=",
    "C=",
    ".",
    "a.example",
    "192.0.2.1",
    "0123456789abcdef",
  ],
  run: (input) => {
    const text = textOf(input);
    const limit = parseDescriptorLimit(text);
    hold(limit === undefined || limit >= 0, `a limit of ${limit}`);
    const delay = parseRetryAfter(text);
    hold(delay === undefined || (Number.isFinite(delay) && delay >= 0), `a delay of ${delay}`);
    const name = parseSubjectLines(text);
    hold(name.commonName.length <= text.length, "a name that is longer than its lines");
    const address = parsePublicAddress(text);
    if (address.ok) holdSame(unwrap(parsePublicAddress(address.value), "what we give"), address.value, "read again");
    const token = parseToken(text);
    if (token.ok) hold(formatToken(token.value) === text, "a token that is written otherwise");
    const found = { limit, delay, address: address.ok || undefined, token: token.ok || undefined };
    return (
      Object.entries(found)
        .flatMap(([what, value]) => (value === undefined ? [] : [what]))
        .join() || "nothing"
    );
  },
};
