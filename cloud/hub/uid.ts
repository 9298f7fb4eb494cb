import { createHash } from "node:crypto";

/** RFC 9562 section 5.8: a UUID of our own making, from what names the object, so that it is the same in every run. */
export function objectUid(id: string): string {
  const bytes = createHash("sha256").update(`selvedge hub ${id}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
