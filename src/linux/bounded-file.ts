import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The beginning of a file, as text. @param most bytes @throws Error with the system's code */
export function readBeginning(path: string, most: number): string {
  const descriptor = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(descriptor).size, most));
    return buffer.toString("utf8", 0, readSync(descriptor, buffer));
  } finally {
    closeSync(descriptor);
  }
}
