import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { SettingsStore } from "./cloud-settings.ts";

export class CloudSettingsFile implements SettingsStore {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Wall time in milliseconds since 1970; undefined: it never was. */
  writtenAt(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs;
  }

  /** All of it or nothing, also when the power is cut. @throws Error with the system's code */
  write(text: string): void {
    const folder = dirname(this.#path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fresh = `${this.#path}.new`;
    const descriptor = openSync(fresh, "w", 0o600);
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(fresh, this.#path);
    const opened = openSync(folder, "r");
    try {
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
  }
}
