import { ok } from "../../../src/base/result.ts";
import { parseBundle, parseCertificate } from "../../../src/certificate/certificate.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 1536,
  form: "text",
  words: ["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "MII", "=", "AAAA", "\n"],
  run: (input) => {
    const text = textOf(input);
    const several = parseBundle(text);
    if (several.ok) hold(several.value.length <= 16, `${several.value.length} certificates`);
    // What a bundle has was read one by one already.
    const one = several.ok ? ok(several.value[0]) : parseCertificate(text);
    const first = one.ok ? one.value : undefined;
    if (first !== undefined)
      hold(first.notBefore <= first.notAfter || first.serial.length > 0, "a certificate without a serial");
    return `${one.ok ? "a certificate" : "none"}, ${several.ok ? Math.min(several.value.length, 3) : "no"} in a bundle`;
  },
};
