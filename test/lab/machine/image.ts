import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { type Architecture, EMULATIONS } from "./architecture.ts";
import { CpioWriter } from "./cpio.ts";
import { command, unpackDebianPackages } from "./debian-packages.ts";

/** Raise it when what is in an image changes: images that exist are not looked into. */
const IMAGE_VERSION = 1;

/** C library and what else a program that Bun compiled loads. */
const LIBRARIES = ["libc6", "libgcc-s1"];

/** What a node's network may need, and the crypto that IPsec does; not the drivers of disks and cards. */
const MODULE_DIRECTORIES = ["arch", "crypto", "lib", "net", "drivers/net"];

export interface Image {
  /** The kernel, as qemu boots it. */
  readonly kernel: string;
  /** Its first file system: modules, busybox, C library. */
  readonly initramfs: string;
  /** The same C library for qemu's user mode (`-L`). */
  readonly root: string;
}

/** Kernel and programs of Debian's stable release, made once and kept in the cache. Needs apt and depmod. */
export async function machineImage(architecture: Architecture): Promise<Image> {
  const cache = process.env["SELVEDGE_CACHE"] ?? `${homedir()}/.cache/selvedge`;
  const directory = `${cache}/machine/${architecture}-${IMAGE_VERSION}`;
  if (!existsSync(directory)) await build(architecture, directory);
  return { kernel: `${directory}/kernel`, initramfs: `${directory}/initramfs`, root: `${directory}/root` };
}

async function build(architecture: Architecture, directory: string): Promise<void> {
  const work = `${directory}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const { kernelPackage } = EMULATIONS[architecture];
    const packages = `${work}/packages`;
    await unpackDebianPackages(architecture, [kernelPackage, "busybox-static", ...LIBRARIES], packages);
    const [version, ...others] = readdirSync(`${packages}/lib/modules`);
    if (version === undefined || others.length > 0) throw new Error(`Cannot choose a kernel of ${kernelPackage}`);
    const modules = `lib/modules/${version}`;
    mkdirSync(`${work}/root/${modules}/kernel/drivers`, { recursive: true });
    mkdirSync(`${work}/root/bin`);
    renameSync(`${packages}/boot/vmlinuz-${version}`, `${work}/kernel`);
    renameSync(`${packages}/bin/busybox`, `${work}/root/bin/busybox`);
    for (const part of MODULE_DIRECTORIES) {
      renameSync(`${packages}/${modules}/kernel/${part}`, `${work}/root/${modules}/kernel/${part}`);
    }
    for (const list of ["modules.builtin", "modules.builtin.modinfo", "modules.order"]) {
      renameSync(`${packages}/${modules}/${list}`, `${work}/root/${modules}/${list}`);
    }
    await command(["depmod", "--basedir", `${work}/root`, version], work);
    // Its libraries and, for amd64, /lib64 with the loader.
    for (const name of readdirSync(`${packages}/lib`).filter((entry) => entry !== "modules")) {
      renameSync(`${packages}/lib/${name}`, `${work}/root/lib/${name}`);
    }
    if (existsSync(`${packages}/lib64`)) renameSync(`${packages}/lib64`, `${work}/root/lib64`);
    rmSync(packages, { recursive: true });

    const sink = Bun.file(`${work}/initramfs`).writer();
    const archive = new CpioWriter(sink);
    await archive.tree(`${work}/root`);
    await archive.end();
    await sink.end();
    renameSync(work, directory);
  } catch (error) {
    // Somebody else may have been quicker.
    rmSync(work, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}
