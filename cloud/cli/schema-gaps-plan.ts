import { canonicalText } from "../../src/kube/owned-fields.ts";

/** An OpenAPI schema, as custom resources have it. */
export type Schema = Readonly<Record<string, unknown>>;

/** Kubernetes' own, in every object. */
const OF_EVERY_OBJECT = new Set(["apiVersion", "kind", "metadata"]);
/** What is looked at by itself, or says nothing to a machine. */
const APART = new Set(["properties", "items", "description", "x-kubernetes-validations"]);

/**
 * Where a served schema asks for something else than the one that is wanted. What it has besides is passed over: the
 * API server adds to it.
 *
 * @returns paths such as "spec.members"
 */
export function planSchemaGaps(wanted: Schema, served: Schema): readonly string[] {
  return fieldGaps(wanted, served, "", OF_EVERY_OBJECT);
}

function gapsOf(wanted: Schema, served: Schema | undefined, path: string): readonly string[] {
  if (served === undefined) return [path];
  const differs = Object.entries(wanted).some(([key, value]) => !APART.has(key) && !isSame(served[key], value));
  const rules = new Set(rulesOf(served));
  if (differs || rulesOf(wanted).some((rule) => !rules.has(rule))) return [path];
  const items = wanted["items"];
  const inner = items === undefined ? [] : gapsOf(items as Schema, served["items"] as Schema | undefined, `${path}[]`);
  return [...fieldGaps(wanted, served, path, new Set()), ...inner];
}

function fieldGaps(wanted: Schema, served: Schema, path: string, without: ReadonlySet<string>): readonly string[] {
  const fields = (schema: Schema) => (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  return Object.entries(fields(wanted))
    .filter(([name]) => !without.has(name))
    .flatMap(([name, schema]) => gapsOf(schema, fields(served)[name], path === "" ? name : `${path}.${name}`));
}

function rulesOf(schema: Schema): readonly string[] {
  const validations = (schema["x-kubernetes-validations"] ?? []) as readonly { readonly rule: string }[];
  return validations.map(({ rule }) => rule);
}

/** Both are JSON, with the keys of each in its own order. */
function isSame(a: unknown, b: unknown): boolean {
  return canonicalText(a) === canonicalText(b);
}
