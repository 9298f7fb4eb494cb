/** The 32-bit FNV-1a hash of a text's code units (of its bytes, where it is ASCII, as names of objects are). */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
