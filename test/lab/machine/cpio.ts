import { readlinkSync, statSync } from "node:fs";
import type { FileSink } from "bun";

const TRAILER = "TRAILER!!!";
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const SYMLINK = 0o120000;

/**
 * Writes a cpio archive in the format that the kernel unpacks as its first file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst, "newc"). Several archives one after another are one.
 */
export class CpioWriter {
  readonly #sink: FileSink;
  readonly #directories = new Set<string>();
  #inode = 1;

  constructor(sink: FileSink) {
    this.#sink = sink;
  }

  /** Adds a file, its directories before it. @param path without a slash at its beginning */
  file(path: string, content: Uint8Array, mode: number): void {
    this.#directoriesOf(path);
    this.#entry(path, REGULAR | mode, content);
  }

  symlink(path: string, target: string): void {
    this.#directoriesOf(path);
    this.#entry(path, SYMLINK | 0o777, new TextEncoder().encode(target));
  }

  /** Adds everything below a directory of this machine. */
  async tree(root: string): Promise<void> {
    for (const path of [...new Bun.Glob("**").scanSync({ cwd: root, dot: true, onlyFiles: false })].sort()) {
      const source = `${root}/${path}`;
      const link = symlinkTarget(source);
      if (link !== undefined) this.symlink(path, link);
      else if (statSync(source).isDirectory()) this.#directoriesOf(`${path}/`);
      else this.file(path, await Bun.file(source).bytes(), statSync(source).mode & 0o777);
    }
  }

  /** Ends the archive, not the sink. */
  async end(): Promise<void> {
    this.#entry(TRAILER, 0, new Uint8Array());
    await this.#sink.flush();
  }

  #directoriesOf(path: string): void {
    for (let slash = path.indexOf("/"); slash > 0; slash = path.indexOf("/", slash + 1)) {
      const directory = path.slice(0, slash);
      if (this.#directories.has(directory)) continue;
      this.#directories.add(directory);
      this.#entry(directory, DIRECTORY | 0o755, new Uint8Array());
    }
  }

  #entry(path: string, mode: number, content: Uint8Array): void {
    const name = new TextEncoder().encode(`${path}\0`);
    // inode, mode, user, group, links, time, size, device (2), special device (2), name's size, checksum
    const fields = [this.#inode++, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    this.#write(new TextEncoder().encode(header), name);
    this.#write(content);
  }

  /** Everything is aligned to 4 bytes: name and header together, then the content. */
  #write(...parts: readonly Uint8Array[]): void {
    let length = 0;
    for (const part of parts) {
      this.#sink.write(part);
      length += part.length;
    }
    this.#sink.write(new Uint8Array(-length & 3));
  }
}

function symlinkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
