import { cachedObjectDecoder } from "../../edge/cache/cached-object.ts";
import { parseJsonText, readObject } from "../../src/kube/object-reader.ts";
import type { KindDefinition } from "../../src/kube/objects/kinds.ts";
import { parseIdentity } from "../../src/kube/objects/metadata.ts";
import type { ObjectKind } from "../../src/network/object-change.ts";
import { hold, holdSame, textOf, unwrap, withoutNumbers } from "./property.ts";
import type { FuzzTarget } from "./target.ts";

const WORDS = [
  ...['"10.0.0.256"', '"10.0.0.1"', '"fd00::1"', '"None"', '"IPv4"', '"IPv6"', '"FQDN"', '"ClientIP"', '"Local"'],
  ...['"NodePort"', '"ExternalName"', '"LoadBalancer"', '"SCTP"', '"UDP"', '"a/b"', '" "', "65535", "86401", "1.5"],
  ...['"metadata":', '"spec":', '"status":', '"ports":', '"addresses":', '"__proto__":', '"toString":', "{", "}", "]"],
];

/**
 * An object of a kind as the source sends it. What is kept of it on disk says the same to us as the object did: the
 * parser reads nothing that trimming takes away.
 */
export function kubeObjectTarget<K extends ObjectKind>(kind: K, parse: KindDefinition<K>["parse"]): FuzzTarget {
  const decoder = cachedObjectDecoder(kind, (text) => text);
  return {
    mostBytes: 2048,
    form: "json",
    words: WORDS,
    run: (input) => {
      const json = parseJsonText(textOf(input));
      const whole = parse(json);
      const read = readObject(json, decoder);
      if (!read.ok) {
        const { key, at, why } = read.rejected;
        hold(key === undefined || /^[^\s/]+(\/[^\s/]+)?$/.test(key), `key ${key}`);
        // Without a key it is no object that could be told from another.
        hold(!whole.ok || key === undefined, `refused when trimmed, and taken whole: ${at}: ${why}`);
        hold(at.length <= 200, `a place that is told at such a length: ${at}`);
        return json === undefined ? "no JSON" : `rejected: ${withoutNumbers(why).slice(0, 40)}`;
      }
      const { object } = read;
      const identity = unwrap(parseIdentity(json, decoder.resource), "the identity of an object that was read");
      hold(identity.key === object.key && !/\s/.test(identity.key), `key ${identity.key}`);
      if (object.value === undefined) return "not for us";
      if (whole.ok) holdSame(object.value.value, whole.value, "trimmed and whole");
      else hold(false, `taken when trimmed, and refused whole: ${whole.error.at}: ${whole.error.why}`);
      const again = unwrap(decoder.decode(JSON.parse(object.value.body)), "what we store");
      holdSame(again?.value, object.value.value, "stored and read again");
      return "read";
    },
  };
}
