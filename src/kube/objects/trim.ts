/**
 * Which parts of an object we read: `true` keeps the value whole, a tree keeps those fields of it, and a tree given for
 * an array keeps those fields of every item.
 */
export interface Fields {
  readonly [name: string]: true | Fields;
}

/**
 * The parts of an object that we read and nothing else. Fields come out in the order of the tree, so two objects that
 * say the same to us give the same text, whatever order the server wrote them in.
 */
export function trimObject(json: unknown, fields: Fields): unknown {
  // No field of the API is an array of arrays: such an item is left as it is, and refused by whoever reads it.
  if (Array.isArray(json)) return json.map((item) => (Array.isArray(item) ? item : trimObject(item, fields)));
  if (typeof json !== "object" || json === null) return json;
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const [value, inner] = [(json as Record<string, unknown>)[name], fields[name]];
    if (value === null || value === undefined || inner === undefined || !Object.hasOwn(json, name)) continue;
    kept[name] = inner === true ? value : trimObject(value, inner);
  }
  return kept;
}

/** Whether arrays and objects stand inside each other more than `most` deep. */
export function isNestedDeeper(json: unknown, most: number): boolean {
  if (typeof json !== "object" || json === null) return false;
  return most === 0 || Object.values(json).some((inner) => isNestedDeeper(inner, most - 1));
}
