import { parseBundle, parseCertificate } from "../../../src/certificate/certificate.ts";
import { hold, textOf } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

export const target: FuzzTarget = {
  mostBytes: 1536,
  form: "text",
  words: ["-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "MII", "=", "AAAA", "\n"],
  run: (input) => {
    const text = textOf(input);
    const [one, several] = [parseCertificate(text), parseBundle(text)];
    if (one.ok)
      hold(one.value.notBefore <= one.value.notAfter || one.value.serial.length > 0, "a certificate without a serial");
    if (several.ok) hold(several.value.length <= 16, `${several.value.length} certificates`);
    return `${one.ok ? "a certificate" : "none"}, ${several.ok ? Math.min(several.value.length, 3) : "no"} in a bundle`;
  },
};
