import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { parseConfigMap } from "../../../src/kube/objects/config-map.ts";
import { parseSecret } from "../../../src/kube/objects/secret.ts";
import { hold, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** A ConfigMap and a Secret of one text: Node's base64 judges the bytes of the latter. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    '"data":',
    '"metadata":',
    '"namespace":"n"',
    '"name":"x"',
    '"tls.crt":',
    '"aGk="',
    '"aA=="',
    "=",
    "{",
    "}",
    '"type":',
  ],
  run: (input) => {
    const json = parseJsonText(textOf(input));
    const map = parseConfigMap(json);
    const secret = parseSecret(json);
    hold(!secret.ok || map.ok, "a Secret that is no ConfigMap");
    if (secret.ok && map.ok) {
      for (const [name, bytes] of secret.value.data) {
        const text = map.value.data.get(name) ?? "";
        hold(Buffer.from(bytes).equals(Buffer.from(text, "base64")), `${name} has other bytes to Node`);
        hold(text.length % 4 === 0, `${name} is not whole`);
      }
      return `${Math.min(secret.value.data.size, 2)} entries`;
    }
    if (map.ok) return "a ConfigMap alone";
    return `refused: ${withoutNumbers(map.error.why).slice(0, 40)}`;
  },
};
