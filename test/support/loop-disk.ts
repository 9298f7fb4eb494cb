import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Namespace } from "../lab/namespace.ts";

const MOUNT_POINT = "/run/disk/mounted";
/** The folder beneath cannot be written: what is written while the disk is away would seem to be on it. */
const MOUNT = `
truncate -s "$1M" "$2"
mkfs.ext4 -q -m 0 "$2"
mkdir "\${3%/*}"
mount -t tmpfs tmpfs "\${3%/*}"
mkdir "$3"
mount -o remount,ro "\${3%/*}"
mount -o loop "$2" "$3"
`;

/** A real file system on a loop device, mounted on one host: small enough to be filled, and nobody else's. */
export class LoopDisk implements AsyncDisposable {
  readonly image: string;
  readonly path = MOUNT_POINT;
  readonly #host: Namespace;
  readonly #folder: string;

  static async mount(host: Namespace, mebibytes: number): Promise<LoopDisk> {
    const folder = mkdtempSync(join(tmpdir(), "selvedge-disk-"));
    const image = join(folder, "image");
    await host.output(["sh", "-euc", MOUNT, "sh", String(mebibytes), image, MOUNT_POINT]);
    return new LoopDisk(host, folder, image);
  }

  private constructor(host: Namespace, folder: string, image: string) {
    this.#host = host;
    this.#folder = folder;
    this.image = image;
  }

  /** To the last byte. */
  async fill(): Promise<void> {
    await this.#host.run(["dd", "if=/dev/zero", `of=${this.path}/rubbish`, "bs=64k"]);
    await this.#host.run(["dd", "if=/dev/zero", `of=${this.path}/crumbs`, "bs=512"]);
    await this.#host.output(["sync", "--file-system", this.path]);
  }

  async makeRoom(): Promise<void> {
    await this.#host.output(["rm", "-f", `${this.path}/rubbish`, `${this.path}/crumbs`]);
  }

  async remount(options: string): Promise<void> {
    await this.#host.output(["mount", "-o", `remount,${options}`, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.run(["umount", "--lazy", this.path]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
