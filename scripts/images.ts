import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { formatCharonConfig } from "../src/strongswan/charon-config.ts";
import { command, unpackDebianPackages } from "../test/lab/machine/debian-packages.ts";
import { type ImageLayer, ImageLayout } from "./image-layout.ts";

const ROOT = join(import.meta.dir, "..");
const IMAGES = ["selvedge-cloud", "selvedge", "strongswan"] as const;

/** The C library that the programs are linked with, and its loader where their ELF header names it. */
const PLATFORMS = {
  amd64: { target: "x64", triplet: "x86_64-linux-gnu", loader: "lib64/ld-linux-x86-64.so.2" },
  arm64: { target: "arm64", triplet: "aarch64-linux-gnu", loader: "lib/ld-linux-aarch64.so.1" },
} as const;
type Architecture = keyof typeof PLATFORMS;
const LIBRARIES = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"];
/** What charon of our configuration consists of, besides the C library: Debian's packages, and what is taken of each. */
const CHARON = {
  packages: [
    ...["charon-systemd", "strongswan-swanctl", "strongswan-libcharon", "libstrongswan"],
    ...["libstrongswan-standard-plugins", "libcharon-extra-plugins"],
    ...[
      "libssl3",
      "libsystemd0",
      "libcap2",
      "libgcrypt20",
      "libgpg-error0",
      "liblz4-1",
      "liblzma5",
      "libzstd1",
      "libgcc-s1",
      "gcc-12-base",
    ],
  ],
  files: ["usr/sbin/charon-systemd", "usr/sbin/swanctl", "usr/lib/ipsec/lib{charon,ipsec,strongswan,vici}.so.0"],
  plugins: [
    ...["random", "nonce", "openssl", "kdf", "pem", "pkcs1", "pkcs8", "x509", "pubkey", "constraints"],
    ...["kernel-netlink", "kernel-libipsec", "socket-default", "vici"],
  ],
  libraries: [
    "crypto.so.3",
    "systemd.so.0",
    "cap.so.2",
    "gcrypt.so.20",
    "gpg-error.so.0",
    "lz4.so.1",
    "lzma.so.5",
    "zstd.so.1",
    // glibc's pthread_cancel asks for it when a thread ends.
    "gcc_s.so.1",
  ],
} as const;
/** For people who look at charon in its container. */
const SWANCTL = "swanctl {\n  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey\n}\n";
/** Where agents of pods look for charon, FabEdge's as well as ours, and where our connector does. */
const CHARON_SOCKETS = { agent: "/var/run/charon.vici", connector: "/run/selvedge/charon/charon.vici" } as const;
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
    for (const each of architectures) {
      mkdirSync(debianFolder(each, work));
      await unpackDebianPackages(each, ["libc6", ...CHARON.packages], debianFolder(each, work));
      bases.set(each, await makeLayer(await placeLibrary(each, work), level));
    }
    for (const image of IMAGES) {
      const description = JSON.parse(readFileSync(join(ROOT, `cloud/images/${image}.json`), "utf8"));
      // A tag has no "+" (OCI distribution specification).
      const name = `selvedge/${image}:${version.replace("+", "_")}`;
      const layout = new ImageLayout(join(work, image), name, { title: description.title, version });
      for (const [architecture, base] of bases) {
        const place = image === "strongswan" ? placeCharon : placeProgram;
        const layer = await makeLayer(await place(image, architecture, work), level);
        layout.add(architecture, description.config, [base, layer]);
      }
      layout.close();
      const file = join(folder, `${image}_${version}.oci.tar`);
      await command(["tar", ...PLAIN_TAR, "-C", join(work, image), "-cf", resolve(file), "."], ROOT);
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

/** What is taken of Debian's packages for an architecture is taken from here. */
function debianFolder(architecture: Architecture, work: string): string {
  return join(work, `debian-${architecture}`);
}

/** Everything but the program: no shell, no package manager, nobody to log in. */
async function placeLibrary(architecture: Architecture, work: string): Promise<string> {
  const { triplet, loader } = PLATFORMS[architecture];
  const debian = debianFolder(architecture, work);
  const tree = join(work, `base-${architecture}`);
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

/** Debian's files, and the configuration of either role for a kernel that does ESP. */
async function placeCharon(image: string, architecture: Architecture, work: string): Promise<string> {
  const { triplet } = PLATFORMS[architecture];
  const debian = debianFolder(architecture, work);
  const tree = join(work, `${image}-${architecture}`);
  const wanted = [
    ...CHARON.files,
    ...CHARON.plugins.map((plugin) => `usr/lib/ipsec/plugins/libstrongswan-${plugin}.so`),
    ...CHARON.libraries.map((library) => `{usr/,}lib/${triplet}/lib${library}`),
    ...CHARON.packages.map((name) => `usr/share/doc/${name}/copyright`),
  ];
  for (const pattern of wanted) {
    const found = globSync(pattern, { cwd: debian });
    if (found.length === 0) throw new Error(`Cannot find ${pattern} in Debian's packages`);
    for (const path of found) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      cpSync(join(debian, path), join(tree, path), { dereference: true });
    }
  }
  mkdirSync(join(tree, "etc/selvedge"), { recursive: true });
  for (const [role, viciSocket] of Object.entries(CHARON_SOCKETS)) {
    const facts = { kernelEsp: true, viciSocket, ignoredLinks: [], log: "stderr" } as const;
    const text = formatCharonConfig({ ...facts, role: role === "connector" ? "connector" : "edge" });
    writeFileSync(join(tree, `etc/selvedge/${role}.conf`), text + SWANCTL);
  }
  for (const path of ["run", "var"]) mkdirSync(join(tree, path));
  symlinkSync("/run", join(tree, "var/run"));
  await command(PLAIN_MODES, tree);
  return tree;
}

const [folder = "", version = "", level = "", ...architectures] = process.argv.slice(2);
await makeImages(folder, version, level, architectures as Architecture[]);
