import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { command, unpackDebianPackages } from "../test/lab/machine/debian-packages.ts";
import { type ImageLayer, ImageLayout } from "./image-layout.ts";

const ROOT = join(import.meta.dir, "..");
const PROGRAMS = ["selvedge-cloud", "selvedge"] as const;

/** The C library that the programs are linked with, and its loader where their ELF header names it. */
const PLATFORMS = {
  amd64: { target: "x64", triplet: "x86_64-linux-gnu", loader: "lib64/ld-linux-x86-64.so.2" },
  arm64: { target: "arm64", triplet: "aarch64-linux-gnu", loader: "lib/ld-linux-aarch64.so.1" },
} as const;
type Architecture = keyof typeof PLATFORMS;
const LIBRARIES = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"];
/** Where containers find the file systems of their runtime. */
const MOUNT_POINTS = ["dev", "proc", "sys"];

async function makeImages(
  folder: string,
  version: string,
  level: string,
  architectures: readonly Architecture[],
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "selvedge-images-"));
  try {
    const bases = new Map<Architecture, ImageLayer>();
    for (const each of architectures) bases.set(each, await makeLayer(await placeLibrary(each, work), level));
    for (const program of PROGRAMS) {
      const description = JSON.parse(readFileSync(join(ROOT, `cloud/images/${program}.json`), "utf8"));
      // A tag has no "+" (OCI distribution specification).
      const name = `selvedge/${program}:${version.replace("+", "_")}`;
      const layout = new ImageLayout(join(work, program), name, { title: description.title, version });
      for (const [architecture, base] of bases) {
        const layer = await makeLayer(await placeProgram(program, architecture, work), level);
        layout.add(architecture, description.config, [base, layer]);
      }
      layout.close();
      const file = join(folder, `${program}_${version}.oci.tar`);
      await command(["tar", ...PLAIN_TAR, "-C", join(work, program), "-cf", resolve(file), "."], ROOT);
      console.log(`${file}  ${statSync(file).size} bytes`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The same files give the same bytes. */
const PLAIN_TAR = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--format=ustar"];

/** Whatever the umask was here and there. */
const PLAIN_MODES = ["chmod", "-R", "u=rwX,go=rX", "."];

/** @param tree what the layer adds, as a folder */
async function makeLayer(tree: string, level: string): Promise<ImageLayer> {
  const tar = `${tree}.tar`;
  await command(["tar", ...PLAIN_TAR, "-C", tree, "-cf", tar, "."], tree);
  await command(["gzip", "--no-name", "--keep", `-${level}`, tar], tree);
  return { tar, compressed: `${tar}.gz` };
}

/** Everything but the program: no shell, no package manager, nobody to log in. */
async function placeLibrary(architecture: Architecture, work: string): Promise<string> {
  const { triplet, loader } = PLATFORMS[architecture];
  const debian = join(work, `debian-${architecture}`);
  const tree = join(work, `base-${architecture}`);
  mkdirSync(debian);
  await unpackDebianPackages(architecture, ["libc6"], debian);
  cpSync(join(ROOT, "cloud/images/rootfs"), tree, { recursive: true });
  const copy = (from: string, to: string) => cpSync(join(debian, from), join(tree, to), { dereference: true });
  copy(`lib/${triplet}/${loader.split("/").at(-1)}`, loader);
  for (const library of LIBRARIES) copy(`lib/${triplet}/${library}`, `lib/${triplet}/${library}`);
  copy("usr/share/doc/libc6/copyright", "usr/share/doc/libc6/copyright");
  for (const name of MOUNT_POINTS) mkdirSync(join(tree, name));
  await command(PLAIN_MODES, tree);
  mkdirSync(join(tree, "tmp"));
  chmodSync(join(tree, "tmp"), 0o1777);
  return tree;
}

async function placeProgram(program: string, architecture: Architecture, work: string): Promise<string> {
  const tree = join(work, `${program}-${architecture}`);
  const target = join(tree, "usr/bin", program);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(ROOT, `dist/${program}-linux-${PLATFORMS[architecture].target}`), target);
  chmodSync(target, 0o755);
  await command(PLAIN_MODES, tree);
  return tree;
}

const [folder = "", version = "", level = "", ...architectures] = process.argv.slice(2);
await makeImages(folder, version, level, architectures as Architecture[]);
