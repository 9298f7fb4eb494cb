/** resolv.conf's "ndots" in a pod: a name with fewer dots is looked for in the search list first. */
const NDOTS = 5;

/** The names that a resolver in a pod of the namespace asks for, in order. */
export function searchNames(name: string, namespace: string, domain: string): readonly string[] {
  if (name.endsWith(".")) return [name];
  const searched = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain].map((suffix) => `${name}.${suffix}.`);
  const dots = name.split(".").length - 1;
  return dots >= NDOTS ? [`${name}.`, ...searched] : [...searched, `${name}.`];
}
